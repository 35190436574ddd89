using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Sway.Tensors;

/// <summary>What a file's header says of one tensor; no data.</summary>
public sealed record TensorInfo
{
    // An array, because to look at an adapter takes a few milliseconds, of which loading the immutable ones would be a part.
    private readonly long[] _sizes;

    /// <summary>Joins what is known of a tensor.</summary>
    /// <param name="name">The tensor's name in the file.</param>
    /// <param name="dtype">The element type.</param>
    /// <param name="shape">Dimensions, row-major, outermost first; empty for a scalar.</param>
    /// <param name="offset">Position of the first byte in the file (absolute).</param>
    /// <param name="byteLength">Length of the data in bytes.</param>
    public TensorInfo(string name, DType dtype, ImmutableArray<long> shape, long offset, long byteLength)
        : this(ImmutableCollectionsMarshal.AsArray(shape)!, name, dtype, offset, byteLength)
    {
    }

    private TensorInfo(long[] sizes, string name, DType dtype, long offset, long byteLength)
    {
        Name = name;
        DType = dtype;
        _sizes = sizes;
        Offset = offset;
        ByteLength = byteLength;
    }

    /// <summary>The tensor's name in the file.</summary>
    public string Name { get; init; }

    /// <summary>The element type.</summary>
    public DType DType { get; init; }

    /// <summary>Dimensions, row-major, outermost first; empty for a scalar.</summary>
    public ImmutableArray<long> Shape
    {
        get => ImmutableCollectionsMarshal.AsImmutableArray(_sizes);
        init => _sizes = ImmutableCollectionsMarshal.AsArray(value)!;
    }

    /// <summary>Position of the first byte in the file (absolute).</summary>
    public long Offset { get; init; }

    /// <summary>Length of the data in bytes.</summary>
    public long ByteLength { get; init; }

    /// <summary>The number of elements: the product of <see cref="Shape"/>.</summary>
    public long ElementCount => TensorExpression.Product(_sizes);

    /// <summary>The shape as people write it: <c>(8, 4096)</c>.</summary>
    public string ShapeText => FormatShape(Shape);

    /// <summary><see cref="Shape"/> without its type.</summary>
    internal ReadOnlySpan<long> Sizes => _sizes;

    /// <summary>The array behind <see cref="Shape"/>, for what keeps it and changes it as little.</summary>
    internal long[] SharedSizes => _sizes;

    /// <summary>The same as the constructor's, with a shape that nobody changes any more.</summary>
    internal static TensorInfo OfSizes(string name, DType dtype, long[] sizes, long offset, long byteLength) =>
        new(sizes, name, dtype, offset, byteLength);

    /// <summary>Writes a shape as people do: <c>(8, 4096)</c>.</summary>
    public static string FormatShape(IEnumerable<long> shape) => "(" + string.Join(", ", shape) + ")";
}
