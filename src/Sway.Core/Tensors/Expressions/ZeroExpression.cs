using System.Collections.Immutable;

namespace Sway.Tensors;

/// <summary>Zeros: padding, and experts that an adapter does not touch.</summary>
internal sealed class ZeroExpression(DType dtype, ImmutableArray<long> shape) : TensorExpression(dtype, shape)
{
    public override bool KeepsBits => true;

    public override IEnumerable<string> Sources => [];

    public override TensorExpression Permute(params ReadOnlySpan<int> axes)
    {
        long[] permuted = new long[Rank];
        for (int i = 0; i < Rank; i++)
        {
            permuted[i] = Shape[axes[i]];
        }

        return new ZeroExpression(DType, [.. permuted]);
    }

    public override TensorExpression Slice(int axis, long start, long count, long step = 1)
    {
        CheckSlice(axis, start, count, step);
        return new ZeroExpression(DType, Shape.SetItem(axis, count));
    }

    public override TensorExpression SplitAxis(int axis, long outer) =>
        new ZeroExpression(DType, Shape.SetItem(axis, Shape[axis] / outer).Insert(axis, outer));

    public override TensorExpression Unsqueeze(int axis) => new ZeroExpression(DType, Shape.Insert(axis, 1));

    public override TensorExpression Squeeze(int axis) => new ZeroExpression(DType, Shape.RemoveAt(axis));

    public override void Read(ReadOnlySpan<long> start, ReadOnlySpan<long> count, Span<byte> destination) =>
        destination[..checked((int)(Product(count) * DType.ByteSize()))].Clear();
}
