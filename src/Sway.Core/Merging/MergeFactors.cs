using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Sway.Tensors;

namespace Sway.Merging;

/// <summary>The factors of one expert (or of the whole module) in memory, and the rows of their product.</summary>
internal sealed class MergeFactors
{
    private readonly float[] _left;
    private readonly float[] _right;
    private readonly int _rank;
    private readonly int _columns;
    private readonly float _scaling;
    private readonly DType _productType;
    private readonly bool _fused;

    public MergeFactors(MergeTerm term, long expert)
    {
        TensorExpression left = term.Left.Rank == 3 ? term.Left.Index(0, expert) : term.Left;
        TensorExpression right = term.Right.Rank == 3 ? term.Right.Index(0, expert) : term.Right;
        _left = left.ToSingleArray();
        _right = right.ToSingleArray();
        _rank = (int)right.Shape[0];
        _columns = (int)right.Shape[1];
        _productType = DType.F32;
        _scaling = (float)term.Scaling;
        _fused = !term.ScalesLeft;
        if (!term.ScalesLeft)
        {
            return;
        }

        // mlx multiplies the factor by the scale in the factor's own type, and the product has the promoted type of both.
        _productType = left.DType == right.DType && left.DType is DType.F16 or DType.BF16 ? left.DType : DType.F32;
        for (int i = 0; i < _left.Length; i++)
        {
            _left[i] = Rounded.To(left.DType, Rounded.To(left.DType, _scaling) * _left[i]);
        }

        _scaling = 1;
    }

    /// <summary>One row of the delta in float32.</summary>
    public void Row(long row, Span<float> delta)
    {
        // In order of the rank, as the libraries' matrix products do: torch's with fused multiply-add, mlx's without.
        delta.Clear();
        ReadOnlySpan<float> left = _left.AsSpan(checked((int)(row * _rank)), _rank);
        for (int k = 0; k < _rank; k++)
        {
            ReadOnlySpan<float> right = _right.AsSpan(k * _columns, _columns);
            if (_fused)
            {
                TensorPrimitives.FusedMultiplyAdd(right, left[k], delta, delta);
            }
            else
            {
                TensorPrimitives.MultiplyAdd(right, left[k], delta, delta);
            }
        }

        if (_scaling != 1)
        {
            TensorPrimitives.Multiply(delta, _scaling, delta);
        }

        Rounded.Round(_productType, delta);
    }
}

/// <summary>Rounds float32 numbers to those that a narrower type holds.</summary>
internal static class Rounded
{
    public static float To(DType dtype, float value) => dtype switch
    {
        DType.BF16 => ElementConversion.FromBFloat16(ElementConversion.ToBFloat16(value)),
        DType.F16 => (float)(Half)value,
        _ => value,
    };

    /// <summary>Rounds all numbers in place.</summary>
    public static void Round(DType dtype, Span<float> values)
    {
        int i = 0;
        if (dtype == DType.BF16)
        {
            Span<uint> words = MemoryMarshal.Cast<float, uint>(values);
            var kept = new Vector<uint>(0xFFFF0000);
            for (; i <= words.Length - Vector<uint>.Count; i += Vector<uint>.Count)
            {
                var bits = new Vector<uint>(words[i..]);
                Vector<float> number = Vector.AsVectorSingle(bits);
                Vector<uint> rounded = bits + new Vector<uint>(0x7FFF) + ((bits >> 16) & Vector<uint>.One);
                Vector<uint> quiet = bits | new Vector<uint>(0x00400000);
                (Vector.ConditionalSelect(Vector.AsVectorUInt32(Vector.Equals(number, number)), rounded, quiet) & kept).CopyTo(words[i..]);
            }
        }

        if (dtype is DType.BF16 or DType.F16)
        {
            for (; i < values.Length; i++)
            {
                values[i] = To(dtype, values[i]);
            }
        }
    }
}
