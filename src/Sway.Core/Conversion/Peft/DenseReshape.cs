using System.Buffers;
using System.Collections.Immutable;
using Sway.Tensors;

namespace Sway.Conversion.Peft;

/// <summary>Gives the elements of an expression, in row-major order, another shape. Only the rows that a read touches are
/// evaluated, so that nothing of the tensor stays in memory.</summary>
internal sealed class DenseReshape : ITensorSource
{
    private readonly TensorExpression _inner;
    private readonly long _rowBytes;

    private DenseReshape(TensorExpression inner)
    {
        _inner = inner;
        _rowBytes = inner.ByteLength / Math.Max(inner.Shape[0], 1);
    }

    public string Name => string.Join(" + ", _inner.Sources);

    /// <summary>The same elements in another shape of the same size.</summary>
    public static TensorExpression Of(TensorExpression inner, params ImmutableArray<long> shape) =>
        new TensorView(new DenseReshape(inner), inner.DType, shape);

    public void Read(long byteOffset, Span<byte> destination)
    {
        if (destination.IsEmpty)
        {
            return;
        }

        long first = byteOffset / _rowBytes;
        long end = (byteOffset + destination.Length + _rowBytes - 1) / _rowBytes;
        int length = checked((int)((end - first) * _rowBytes));
        byte[] rows = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            long[] start = new long[_inner.Rank];
            long[] count = [.. _inner.Shape];
            start[0] = first;
            count[0] = end - first;
            _inner.Read(start, count, rows.AsSpan(0, length));
            rows.AsSpan(checked((int)(byteOffset - (first * _rowBytes))), destination.Length).CopyTo(destination);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rows);
        }
    }
}
