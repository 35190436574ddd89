using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Sway.Tensors;

/// <summary>
/// A tensor described rather than held: source bytes under transposition, slices, strides, concatenation, zero-padding,
/// scaling and casts. Building one reads nothing; evaluating one costs memory for the region asked for only.
/// </summary>
public abstract class TensorExpression
{
    private readonly long[] _sizes;

    private protected TensorExpression(DType dtype, ImmutableArray<long> shape)
        : this(dtype, ImmutableCollectionsMarshal.AsArray(shape)!)
    {
    }

    private protected TensorExpression(DType dtype, long[] sizes)
    {
        DType = dtype;
        _sizes = sizes;
    }

    /// <summary>The element type of the result.</summary>
    public DType DType { get; }

    /// <summary>The dimensions of the result, outermost first.</summary>
    public ImmutableArray<long> Shape => ImmutableCollectionsMarshal.AsImmutableArray(_sizes);

    /// <summary>The number of axes.</summary>
    public int Rank => _sizes.Length;

    /// <summary>The number of elements.</summary>
    public long ElementCount
    {
        get
        {
            long product = 1;
            foreach (long size in _sizes)
            {
                product = checked(product * size);
            }

            return product;
        }
    }

    /// <summary>The size of the result in bytes.</summary>
    public long ByteLength => checked(ElementCount * DType.ByteSize());

    /// <summary>True when evaluating only moves bytes: no element is computed.</summary>
    public abstract bool KeepsBits { get; }

    /// <summary>The names of the source tensors, in order, each once.</summary>
    public abstract IEnumerable<string> Sources { get; }

    /// <summary><see cref="Shape"/> without its type.</summary>
    internal ReadOnlySpan<long> Sizes => _sizes;

    /// <summary>Reorders the axes: axis i of the result is axis <c>axes[i]</c> of this tensor.</summary>
    public abstract TensorExpression Permute(params ReadOnlySpan<int> axes);

    /// <summary>Takes <paramref name="count"/> indices of an axis, from <paramref name="start"/> in steps.</summary>
    public abstract TensorExpression Slice(int axis, long start, long count, long step = 1);

    /// <summary>Splits an axis of size n into two: (outer, n / outer).</summary>
    public abstract TensorExpression SplitAxis(int axis, long outer);

    /// <summary>Inserts an axis of size 1 before <paramref name="axis"/>.</summary>
    public abstract TensorExpression Unsqueeze(int axis);

    /// <summary>Removes an axis of size 1.</summary>
    public abstract TensorExpression Squeeze(int axis);

    /// <summary>Exchanges the last two axes.</summary>
    public TensorExpression Transpose()
    {
        Span<int> axes = stackalloc int[Rank];
        for (int i = 0; i < Rank; i++)
        {
            axes[i] = i;
        }

        (axes[^1], axes[^2]) = (axes[^2], axes[^1]);
        return Permute(axes);
    }

    /// <summary>Takes one index of an axis, which disappears.</summary>
    public TensorExpression Index(int axis, long index) => Slice(axis, index, 1).Squeeze(axis);

    /// <summary>The same numbers in another type, rounded once to nearest even where the type is narrower.</summary>
    public TensorExpression Cast(DType dtype) => dtype == DType ? this : new ScaledExpression(this, dtype, 1, -1, null);

    /// <summary>Multiplies by a factor in float64 and rounds once to <paramref name="dtype"/>.</summary>
    public TensorExpression Scale(double factor, DType dtype = DType.F32) =>
        factor == 1 ? Cast(dtype) : new ScaledExpression(this, dtype, factor, -1, null);

    /// <summary>Multiplies each index of an axis by its own factor, in float64, rounding once.</summary>
    public TensorExpression ScaleAxis(int axis, double[] factors, DType dtype = DType.F32) =>
        new ScaledExpression(this, dtype, 1, axis, factors);

    /// <summary>Grows an axis to a size with zeros at its end.</summary>
    public TensorExpression PadEnd(int axis, long size) => size == Shape[axis]
        ? this
        : Concatenate(axis, [this, new ZeroExpression(DType, Shape.SetItem(axis, checked(size - Shape[axis])))]);

    /// <summary>Joins tensors along an axis; the other sizes and the types must agree.</summary>
    public static TensorExpression Concatenate(int axis, IReadOnlyList<TensorExpression> parts) =>
        parts is [var single] ? single : new ConcatExpression(axis, [.. parts]);

    /// <summary>Joins tensors along a new axis.</summary>
    public static TensorExpression Stack(int axis, IReadOnlyList<TensorExpression> parts) =>
        Concatenate(axis, [.. parts.Select(part => part.Unsqueeze(axis))]);

    /// <summary>A tensor of zeros.</summary>
    public static TensorExpression Zeros(DType dtype, ImmutableArray<long> shape) => new ZeroExpression(dtype, shape);

    /// <summary>A tensor of numbers computed when first read; the function runs at most once.</summary>
    public static TensorExpression Computed(string name, ImmutableArray<long> shape, Func<double[]> compute) =>
        new TensorView(new ComputedSource(name, compute), DType.F64, shape);

    /// <summary>The same tensor, evaluated as a whole when a piece of it is read, and kept while memory lasts.</summary>
    internal TensorExpression Recalled() => new TensorView(new RecalledSource(this), DType, Shape);

    /// <summary>Evaluates a block, dense and row-major, into <paramref name="destination"/>.</summary>
    /// <param name="start">First index along each axis.</param>
    /// <param name="count">Number of indices along each axis.</param>
    /// <param name="destination">At least the block's bytes.</param>
    public abstract void Read(ReadOnlySpan<long> start, ReadOnlySpan<long> count, Span<byte> destination);

    /// <summary>Evaluates the whole tensor in its own type.</summary>
    public byte[] ToBytes()
    {
        byte[] bytes = new byte[ByteLength];
        Read(new long[Rank], Shape.AsSpan(), bytes);
        return bytes;
    }

    /// <summary>Evaluates the whole tensor as float32.</summary>
    public float[] ToSingleArray()
    {
        float[] values = new float[ElementCount];
        ReadSingles(values);
        return values;
    }

    /// <summary>Evaluates the whole tensor as float32 into memory of its size.</summary>
    public void ReadSingles(Span<float> values)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, ElementCount);
        if (DType == DType.F32)
        {
            Read(new long[Rank], Shape.AsSpan(), MemoryMarshal.AsBytes(values));
        }
        else
        {
            ElementConversion.ToSingle(DType, ToBytes(), values);
        }
    }

    /// <summary>Evaluates the whole tensor as float64.</summary>
    public double[] ToDoubleArray()
    {
        double[] values = new double[ElementCount];
        ElementConversion.ToDouble(DType, ToBytes(), values);
        return values;
    }

    /// <summary>Row-major strides of a dense block, in elements.</summary>
    internal static void DenseStrides(ReadOnlySpan<long> count, Span<long> strides)
    {
        long stride = 1;
        for (int axis = count.Length - 1; axis >= 0; axis--)
        {
            strides[axis] = stride;
            stride *= count[axis];
        }
    }

    internal static long Product(ReadOnlySpan<long> count)
    {
        long product = 1;
        foreach (long size in count)
        {
            product *= size;
        }

        return product;
    }

    private protected void CheckSlice(int axis, long start, long count, long step)
    {
        if (start < 0 || count < 0 || step < 1 || (count > 0 && start + ((count - 1) * step) >= Shape[axis]))
        {
            throw new ArgumentOutOfRangeException(
                nameof(start), $"Slice [{start}, {count} in steps of {step}) of axis {axis} leaves {TensorInfo.FormatShape(Shape)}.");
        }
    }
}
