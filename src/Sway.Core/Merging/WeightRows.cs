using System.Collections.Immutable;
using Sway.Tensors;

namespace Sway.Merging;

/// <summary>A weight as rows of float32 numbers; leading axes are joined.</summary>
internal interface IWeightRows
{
    long Rows { get; }

    int Columns { get; }

    /// <summary>The type whose numbers the rows hold, and in which the libraries add.</summary>
    DType DType { get; }

    void Read(long row, Span<float> destination);
}

/// <summary>Rows of a stored tensor.</summary>
internal sealed class StoredRows(TensorExpression tensor) : IWeightRows
{
    private readonly byte[] _bytes = new byte[tensor.Shape[^1] * tensor.DType.ByteSize()];
    private readonly RowPlace _place = new(tensor.Shape);

    public long Rows => tensor.ElementCount / Math.Max(tensor.Shape[^1], 1);

    public int Columns => checked((int)tensor.Shape[^1]);

    public DType DType => tensor.DType;

    public void Read(long row, Span<float> destination)
    {
        tensor.Read(_place.StartOf(row), _place.Count, _bytes);
        ElementConversion.ToSingle(tensor.DType, _bytes, destination);
    }
}

/// <summary>Where one row of a tensor of any rank is; leading axes are joined.</summary>
internal sealed class RowPlace
{
    private readonly long[] _shape;
    private readonly long[] _start;

    public RowPlace(ImmutableArray<long> shape)
    {
        _shape = [.. shape];
        _start = new long[shape.Length];
        Count = [.. shape.Select((size, axis) => axis == shape.Length - 1 ? size : 1)];
    }

    /// <summary>The sizes of one row.</summary>
    public long[] Count { get; }

    /// <summary>The place of a row; valid until the next call.</summary>
    public long[] StartOf(long row)
    {
        for (int axis = _shape.Length - 2; axis >= 0; axis--)
        {
            _start[axis] = row % _shape[axis];
            row /= _shape[axis];
        }

        return _start;
    }
}
