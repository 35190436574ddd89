using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Sway.Tensors;

namespace Sway.Merging;

/// <summary>
/// A weight of the base with its deltas added, computed in blocks of rows when it is written: neither the weight nor the
/// delta is ever whole in memory, only the factors of the module at hand.
/// </summary>
internal sealed class MergedWeight : ITensorSource
{
    private readonly IWeightRows _base;
    private readonly ImmutableArray<MergeTerm> _terms;
    private readonly DType _output;
    private readonly long _rows;
    private readonly int _columns;
    private (int Term, long Expert, MergeFactors Factors)? _cached;
    private readonly float[] _delta;
    private float[]? _norms;
    private float[]? _magnitude;

    public MergedWeight(string name, IWeightRows weight, ImmutableArray<MergeTerm> terms, DType output)
    {
        Name = name;
        _base = weight;
        _terms = terms;
        _output = output;
        _rows = weight.Rows;
        _columns = weight.Columns;
        _delta = new float[_columns];
    }

    public string Name { get; }

    public static TensorExpression Create(string name, IWeightRows weight, ImmutableArray<MergeTerm> terms, ImmutableArray<long> shape, DType output) =>
        new TensorView(new MergedWeight(name, weight, terms, output), output, shape);

    public void Read(long byteOffset, Span<byte> destination)
    {
        int size = _output.ByteSize();
        long rowBytes = (long)_columns * size;
        float[] row = new float[_columns];
        byte[] bytes = new byte[rowBytes];
        while (!destination.IsEmpty)
        {
            long index = byteOffset / rowBytes;
            int within = (int)(byteOffset - (index * rowBytes));
            Row(index, row);
            Store(row, bytes);
            int part = Math.Min(bytes.Length - within, destination.Length);
            bytes.AsSpan(within, part).CopyTo(destination);
            destination = destination[part..];
            byteOffset += part;
        }
    }

    /// <summary>One row of the merged weight; the numbers are those that the output's type holds.</summary>
    public void Row(long index, Span<float> row)
    {
        _base.Read(index, row);
        float[] delta = _delta;
        for (int t = 0; t < _terms.Length; t++)
        {
            MergeTerm term = _terms[t];
            long perExpert = _rows / term.Experts;
            long inner = (index % perExpert) - term.RowStart;
            if (inner < 0 || inner % term.RowStep != 0 || inner / term.RowStep >= term.Rows)
            {
                continue;
            }

            Factors(t, index / perExpert).Row(inner / term.RowStep, delta);
            Add(term, inner / term.RowStep, row, delta);
        }
    }

    private void Add(MergeTerm term, long index, Span<float> row, float[] delta)
    {
        for (int j = 0; j < row.Length; j++)
        {
            float change = term.Rounding != MergeRounding.PeftOnce && term.Magnitude is null ? Rounded.To(_base.DType, delta[j]) : delta[j];
            row[j] = term.Magnitude is null ? Rounded.To(_base.DType, row[j] + change) : row[j] + change;
        }

        if (term.Magnitude is null)
        {
            return;
        }

        float[] norms = _norms ??= Norms(term);
        float[] magnitude = _magnitude ??= term.Magnitude.ToSingleArray();
        for (int j = 0; j < row.Length; j++)
        {
            int output = term.Transposed ? j : (int)index;
            row[j] = magnitude[output] / norms[output] * row[j];
        }
    }

    /// <summary>The norm of each output's weights with the delta added.</summary>
    private float[] Norms(MergeTerm term)
    {
        double[] sums = new double[term.Transposed ? _columns : _rows];
        float[] row = new float[_columns];
        float[] delta = new float[_columns];
        MergeFactors factors = Factors(_terms.IndexOf(term), 0);
        for (long i = 0; i < _rows; i++)
        {
            _base.Read(i, row);
            factors.Row(i, delta);
            for (int j = 0; j < _columns; j++)
            {
                double value = row[j] + delta[j];
                sums[term.Transposed ? j : i] += value * value;
            }
        }

        return [.. sums.Select(sum => (float)Math.Sqrt(sum))];
    }

    private MergeFactors Factors(int term, long expert)
    {
        if (_cached is not { } cached || cached.Term != term || cached.Expert != expert)
        {
            cached = (term, expert, new MergeFactors(_terms[term], expert));
            _cached = cached;
        }

        return cached.Factors;
    }

    private void Store(ReadOnlySpan<float> row, Span<byte> bytes)
    {
        switch (_output)
        {
            case DType.F32:
                MemoryMarshal.AsBytes(row).CopyTo(bytes);
                break;
            case DType.F16:
                for (int j = 0; j < row.Length; j++)
                {
                    MemoryMarshal.Cast<byte, Half>(bytes)[j] = (Half)row[j];
                }

                break;
            default:
                for (int j = 0; j < row.Length; j++)
                {
                    MemoryMarshal.Cast<byte, ushort>(bytes)[j] = ElementConversion.ToBFloat16(row[j]);
                }

                break;
        }
    }
}

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

    public long Rows => tensor.ElementCount / Math.Max(tensor.Shape[^1], 1);

    public int Columns => checked((int)tensor.Shape[^1]);

    public DType DType => tensor.DType;

    public void Read(long row, Span<float> destination)
    {
        long[] start = new long[tensor.Rank];
        long[] count = new long[tensor.Rank];
        Array.Fill(count, 1);
        count[^1] = Columns;
        for (int axis = tensor.Rank - 2; axis >= 0; axis--)
        {
            start[axis] = row % tensor.Shape[axis];
            row /= tensor.Shape[axis];
        }

        tensor.Read(start, count, _bytes);
        ElementConversion.ToSingle(tensor.DType, _bytes, destination);
    }
}
