using System.Collections.Immutable;

namespace Sway.Tensors;

/// <summary>What a file's header says of one tensor; no data.</summary>
/// <param name="Name">The tensor's name in the file.</param>
/// <param name="DType">The element type.</param>
/// <param name="Shape">Dimensions, row-major, outermost first; empty for a scalar.</param>
/// <param name="Offset">Position of the first byte in the file (absolute).</param>
/// <param name="ByteLength">Length of the data in bytes.</param>
public sealed record TensorInfo(string Name, DType DType, ImmutableArray<long> Shape, long Offset, long ByteLength)
{
    /// <summary>The number of elements: the product of <see cref="Shape"/>.</summary>
    public long ElementCount => TensorExpression.Product(Shape.AsSpan());

    /// <summary>The shape as people write it: <c>(8, 4096)</c>.</summary>
    public string ShapeText => FormatShape(Shape);

    /// <summary>Writes a shape as people do: <c>(8, 4096)</c>.</summary>
    public static string FormatShape(IEnumerable<long> shape) => "(" + string.Join(", ", shape) + ")";
}
