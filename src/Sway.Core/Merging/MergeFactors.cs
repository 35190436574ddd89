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
            float factor = left[k];
            for (int j = 0; j < delta.Length; j++)
            {
                delta[j] = _fused ? MathF.FusedMultiplyAdd(factor, right[j], delta[j]) : (factor * right[j]) + delta[j];
            }
        }

        if (_scaling != 1 || _productType != DType.F32)
        {
            for (int j = 0; j < delta.Length; j++)
            {
                delta[j] = Rounded.To(_productType, delta[j] * _scaling);
            }
        }
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
}
