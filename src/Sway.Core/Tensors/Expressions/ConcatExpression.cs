using System.Buffers;
using System.Collections.Immutable;

namespace Sway.Tensors;

/// <summary>Tensors one after the other along an axis.</summary>
internal sealed class ConcatExpression : TensorExpression
{
    private readonly int _axis;
    private readonly ImmutableArray<TensorExpression> _parts;

    public ConcatExpression(int axis, ImmutableArray<TensorExpression> parts)
        : base(parts[0].DType, parts[0].Shape.SetItem(axis, parts.Sum(part => part.Shape[axis])))
    {
        foreach (TensorExpression part in parts)
        {
            if (part.DType != DType || part.Rank != Rank || !part.Shape.SetItem(axis, 0).SequenceEqual(Shape.SetItem(axis, 0)))
            {
                throw new ArgumentException(
                    $"Parts differ: {part.DType} {TensorInfo.FormatShape(part.Shape)} and {DType} {TensorInfo.FormatShape(parts[0].Shape)}.", nameof(parts));
            }
        }

        _axis = axis;
        _parts = parts;
    }

    public override bool KeepsBits => _parts.All(part => part.KeepsBits);

    public override IEnumerable<string> Sources => _parts.SelectMany(part => part.Sources).Distinct(StringComparer.Ordinal);

    public override TensorExpression Permute(params ReadOnlySpan<int> axes)
    {
        int[] order = axes.ToArray();
        return new ConcatExpression(Array.IndexOf(order, _axis), [.. _parts.Select(part => part.Permute(order))]);
    }

    public override TensorExpression Slice(int axis, long start, long count, long step = 1)
    {
        CheckSlice(axis, start, count, step);
        if (axis != _axis)
        {
            return new ConcatExpression(_axis, [.. _parts.Select(part => part.Slice(axis, start, count, step))]);
        }

        if (count == 0)
        {
            return Zeros(DType, Shape.SetItem(axis, 0));
        }

        var kept = new List<TensorExpression>();
        long origin = 0;
        long last = start + ((count - 1) * step);
        foreach (TensorExpression part in _parts)
        {
            long size = part.Shape[axis];
            long local = start >= origin ? start - origin : (step - ((origin - start) % step)) % step;
            long end = Math.Min(size - 1, last - origin);
            if (end >= local)
            {
                kept.Add(part.Slice(axis, local, ((end - local) / step) + 1, step));
            }

            origin += size;
        }

        return Concatenate(axis, kept);
    }

    public override TensorExpression SplitAxis(int axis, long outer) => axis == _axis
        ? Materialized().SplitAxis(axis, outer)
        : new ConcatExpression(axis < _axis ? _axis + 1 : _axis, [.. _parts.Select(part => part.SplitAxis(axis, outer))]);

    public override TensorExpression Unsqueeze(int axis) =>
        new ConcatExpression(axis <= _axis ? _axis + 1 : _axis, [.. _parts.Select(part => part.Unsqueeze(axis))]);

    public override TensorExpression Squeeze(int axis) => axis == _axis
        ? _parts.First(part => part.Shape[axis] == 1).Squeeze(axis)
        : new ConcatExpression(axis < _axis ? _axis - 1 : _axis, [.. _parts.Select(part => part.Squeeze(axis))]);

    public override void Read(ReadOnlySpan<long> start, ReadOnlySpan<long> count, Span<byte> destination)
    {
        int size = DType.ByteSize();
        Span<long> strides = stackalloc long[Rank];
        DenseStrides(count, strides);
        Span<long> partStart = stackalloc long[Rank];
        Span<long> partCount = stackalloc long[Rank];
        Span<long> partStrides = stackalloc long[Rank];
        long origin = 0;
        foreach (TensorExpression part in _parts)
        {
            long from = Math.Max(start[_axis], origin);
            long to = Math.Min(start[_axis] + count[_axis], origin + part.Shape[_axis]);
            if (from < to)
            {
                start.CopyTo(partStart);
                count.CopyTo(partCount);
                partStart[_axis] = from - origin;
                partCount[_axis] = to - from;
                int bytes = checked((int)(Product(partCount) * size));
                Span<byte> target = destination[checked((int)((from - start[_axis]) * strides[_axis] * size))..];
                if (Product(count[.._axis]) == 1)
                {
                    part.Read(partStart, partCount, target[..bytes]);
                }
                else
                {
                    byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Max(bytes, 1));
                    try
                    {
                        part.Read(partStart, partCount, buffer.AsSpan(0, bytes));
                        DenseStrides(partCount, partStrides);
                        StridedCopy.Copy(buffer.AsSpan(0, bytes), partStrides, target, strides, partCount, size);
                    }
                    finally
                    {
                        ArrayPool<byte>.Shared.Return(buffer);
                    }
                }
            }

            origin += part.Shape[_axis];
        }
    }

    private TensorView Materialized() => new(new ExpressionSource(this), DType, Shape);
}
