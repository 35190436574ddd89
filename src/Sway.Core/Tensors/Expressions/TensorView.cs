using System.Buffers;
using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Sway.Tensors;

/// <summary>
/// Elements of one source at regular distances. Permuting, slicing and splitting axes only change the strides, so any
/// chain of them costs nothing until the view is read.
/// </summary>
public sealed class TensorView : TensorExpression
{
    // The most that one read of a source may bring into memory at once.
    private const int MaximumSpan = 4 << 20;

    private readonly ITensorSource _source;
    private readonly long[] _strides;
    private readonly long _offset;

    /// <summary>A dense, row-major view of a whole source.</summary>
    public TensorView(ITensorSource source, DType dtype, ImmutableArray<long> shape)
        : this(dtype, ImmutableCollectionsMarshal.AsArray(shape)!, source)
    {
    }

    /// <summary>A view with its own strides and first element, both in elements.</summary>
    public TensorView(ITensorSource source, DType dtype, ImmutableArray<long> shape, ImmutableArray<long> strides, long offset)
        : base(dtype, shape)
    {
        _source = source;
        _strides = ImmutableCollectionsMarshal.AsArray(strides)!;
        _offset = offset;
    }

    private TensorView(DType dtype, long[] sizes, ITensorSource source)
        : base(dtype, sizes)
    {
        _source = source;
        _strides = new long[sizes.Length];
        DenseStrides(sizes, _strides);
    }

    private ImmutableArray<long> Strides => ImmutableCollectionsMarshal.AsImmutableArray(_strides);

    /// <inheritdoc/>
    public override bool KeepsBits => true;

    /// <inheritdoc/>
    public override IEnumerable<string> Sources => [_source.Name];

    /// <summary>A dense, row-major view of a whole source, with a shape that nobody changes any more.</summary>
    internal static TensorView OfSizes(ITensorSource source, DType dtype, long[] sizes) => new(dtype, sizes, source);

    /// <inheritdoc/>
    public override TensorExpression Permute(params ReadOnlySpan<int> axes)
    {
        long[] shape = new long[Rank];
        long[] strides = new long[Rank];
        for (int i = 0; i < axes.Length; i++)
        {
            shape[i] = Shape[axes[i]];
            strides[i] = _strides[axes[i]];
        }

        return new TensorView(_source, DType, [.. shape], [.. strides], _offset);
    }

    /// <inheritdoc/>
    public override TensorExpression Slice(int axis, long start, long count, long step = 1)
    {
        CheckSlice(axis, start, count, step);
        return new TensorView(
            _source,
            DType,
            Shape.SetItem(axis, count),
            Strides.SetItem(axis, _strides[axis] * step),
            _offset + (count == 0 ? 0 : start * _strides[axis]));
    }

    /// <inheritdoc/>
    public override TensorExpression SplitAxis(int axis, long outer)
    {
        long inner = outer > 0 && Shape[axis] % outer == 0
            ? Shape[axis] / outer
            : throw new ArgumentOutOfRangeException(nameof(outer), $"Axis {axis} of {TensorInfo.FormatShape(Shape)} is not a multiple of {outer}.");
        return new TensorView(
            _source,
            DType,
            Shape.SetItem(axis, inner).Insert(axis, outer),
            Strides.Insert(axis, _strides[axis] * inner),
            _offset);
    }

    /// <inheritdoc/>
    public override TensorExpression Unsqueeze(int axis) =>
        new TensorView(_source, DType, Shape.Insert(axis, 1), Strides.Insert(axis, 0), _offset);

    /// <inheritdoc/>
    public override TensorExpression Squeeze(int axis) => Shape[axis] == 1
        ? new TensorView(_source, DType, Shape.RemoveAt(axis), Strides.RemoveAt(axis), _offset)
        : throw new ArgumentException($"Axis {axis} of {TensorInfo.FormatShape(Shape)} is not of size 1.", nameof(axis));

    /// <inheritdoc/>
    public override void Read(ReadOnlySpan<long> start, ReadOnlySpan<long> count, Span<byte> destination)
    {
        if (Product(count) == 0)
        {
            return;
        }

        long first = _offset;
        for (int axis = 0; axis < Rank; axis++)
        {
            first += start[axis] * _strides[axis];
        }

        Span<long> dense = stackalloc long[Rank];
        DenseStrides(count, dense);
        ReadBlock(first, count, dense, destination);
    }

    private void ReadBlock(long first, ReadOnlySpan<long> count, ReadOnlySpan<long> destinationStrides, Span<byte> destination)
    {
        int size = DType.ByteSize();
        long span = 1;
        bool contiguous = true;
        int widest = 0;
        long widestReach = -1;
        for (int axis = 0; axis < count.Length; axis++)
        {
            long reach = (count[axis] - 1) * _strides[axis];
            span += reach;
            contiguous &= count[axis] == 1 || _strides[axis] == destinationStrides[axis];
            if (reach > widestReach)
            {
                (widest, widestReach) = (axis, reach);
            }
        }

        long elements = Product(count);
        if (contiguous && span == elements)
        {
            _source.Read(first * size, destination[..checked((int)(elements * size))]);
            return;
        }

        // Reading everything between the first and the last element pays when little of it is not wanted.
        bool sparse = span > 4096 && span > 4 * elements;
        if (elements == 1 || (!sparse && span * size <= MaximumSpan))
        {
            int bytes = checked((int)(span * size));
            byte[] buffer = ArrayPool<byte>.Shared.Rent(bytes);
            try
            {
                _source.Read(first * size, buffer.AsSpan(0, bytes));
                StridedCopy.Copy(buffer.AsSpan(0, bytes), _strides, destination, destinationStrides, count, size);
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }

            return;
        }

        Span<long> half = stackalloc long[count.Length];
        count.CopyTo(half);
        long left = count[widest] / 2;
        half[widest] = left;
        ReadBlock(first, half, destinationStrides, destination);
        half[widest] = count[widest] - left;
        ReadBlock(
            first + (left * _strides[widest]),
            half,
            destinationStrides,
            destination[checked((int)(left * destinationStrides[widest] * size))..]);
    }
}
