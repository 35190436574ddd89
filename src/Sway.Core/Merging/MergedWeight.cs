using System.Collections.Immutable;
using System.Numerics.Tensors;
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
        if (term.Magnitude is null && term.Rounding != MergeRounding.PeftOnce)
        {
            Rounded.Round(_base.DType, delta);
        }

        TensorPrimitives.Add(row, delta, row);
        if (term.Magnitude is null)
        {
            Rounded.Round(_base.DType, row);
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

    private void Store(Span<float> row, Span<byte> bytes)
    {
        switch (_output)
        {
            case DType.F32:
                MemoryMarshal.AsBytes(row).CopyTo(bytes);
                break;
            case DType.F16:
                TensorPrimitives.ConvertToHalf(row, MemoryMarshal.Cast<byte, Half>(bytes));
                break;
            default:
                Rounded.Round(DType.BF16, row);
                Span<uint> words = MemoryMarshal.Cast<float, uint>(row);
                TensorPrimitives.ShiftRightLogical(words, 16, words);
                TensorPrimitives.ConvertTruncating<uint, ushort>(words, MemoryMarshal.Cast<byte, ushort>(bytes));
                break;
        }
    }
}
