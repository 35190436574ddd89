using System.Numerics.Tensors;
using Sway.Tensors;

namespace Sway.Merging;

/// <summary>The change that an adapter makes to one stored weight, row by row in float64.</summary>
internal sealed class WeightChange
{
    private readonly IReadOnlyList<MergeTerm> _terms;
    private readonly IWeightRows _weight;
    private readonly double[]? _magnitude;
    private readonly double[]? _norms;
    private (int Term, long Expert, double[] Left, double[] Right)? _cached;

    public WeightChange(IReadOnlyList<MergeTerm> terms, IWeightRows weight)
    {
        _terms = terms;
        _weight = weight;
        if (terms is [{ Magnitude: { } magnitude } term])
        {
            _magnitude = magnitude.ToDoubleArray();
            _norms = Norms(term);
        }
    }

    /// <summary>One row of the change, given the same row of the weight.</summary>
    public void Row(long index, ReadOnlySpan<float> weight, Span<double> change)
    {
        LowRankRow(index, change);
        if (_magnitude is null || _norms is null)
        {
            return;
        }

        // DoRA: m / ||W + delta|| * (W + delta) - W, the norm over the inputs of each output.
        for (int j = 0; j < change.Length; j++)
        {
            int output = _terms[0].Transposed ? j : (int)index;
            change[j] = (_magnitude[output] / _norms[output] * (weight[j] + change[j])) - weight[j];
        }
    }

    private void LowRankRow(long index, Span<double> change)
    {
        change.Clear();
        for (int t = 0; t < _terms.Count; t++)
        {
            MergeTerm term = _terms[t];
            long perExpert = _weight.Rows / term.Experts;
            long inner = (index % perExpert) - term.RowStart;
            if (inner < 0 || inner % term.RowStep != 0 || inner / term.RowStep >= term.Rows)
            {
                continue;
            }

            (double[] left, double[] right) = Factors(t, index / perExpert);
            int rank = right.Length / change.Length;
            int row = checked((int)(inner / term.RowStep));
            for (int k = 0; k < rank; k++)
            {
                TensorPrimitives.MultiplyAdd(right.AsSpan(k * change.Length, change.Length), term.Scaling * left[(row * rank) + k], change, change);
            }
        }
    }

    private double[] Norms(MergeTerm term)
    {
        double[] sums = new double[term.Transposed ? _weight.Columns : _weight.Rows];
        float[] weight = new float[_weight.Columns];
        double[] delta = new double[_weight.Columns];
        for (long i = 0; i < _weight.Rows; i++)
        {
            _weight.Read(i, weight);
            LowRankRow(i, delta);
            for (int j = 0; j < delta.Length; j++)
            {
                double value = weight[j] + delta[j];
                sums[term.Transposed ? j : i] += value * value;
            }
        }

        return Array.ConvertAll(sums, Math.Sqrt);
    }

    private (double[] Left, double[] Right) Factors(int term, long expert)
    {
        if (_cached is not { } cached || cached.Term != term || cached.Expert != expert)
        {
            MergeTerm wanted = _terms[term];
            TensorExpression left = wanted.Left.Rank == 3 ? wanted.Left.Index(0, expert) : wanted.Left;
            TensorExpression right = wanted.Right.Rank == 3 ? wanted.Right.Index(0, expert) : wanted.Right;
            cached = (term, expert, left.ToDoubleArray(), right.ToDoubleArray());
            _cached = cached;
        }

        return (cached.Left, cached.Right);
    }
}
