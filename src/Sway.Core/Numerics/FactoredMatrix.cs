using Sway.Tensors;

namespace Sway.Numerics;

/// <summary>
/// A matrix given as left (rows, rank) times right (rank, columns), in float64. Norms and singular values come from the
/// small core that is left when both factors are made orthonormal; the product itself is never built.
/// </summary>
internal sealed class FactoredMatrix
{
    private readonly double[][] _left;
    private readonly double[][] _right;
    private readonly Lazy<(double[][] LeftBasis, double[][] RightBasis, double[][] Core)> _core;

    /// <summary>Takes the columns of the left and the rows of the right factor; terms that are zero are dropped.</summary>
    private FactoredMatrix(int rows, int columns, double[][] leftColumns, double[][] rightRows)
    {
        Rows = rows;
        Columns = columns;
        int[] kept = [.. Enumerable.Range(0, leftColumns.Length).Where(k => leftColumns[k].AsSpan().ContainsAnyExcept(0.0) && rightRows[k].AsSpan().ContainsAnyExcept(0.0))];
        _left = Array.ConvertAll(kept, k => leftColumns[k]);
        _right = Array.ConvertAll(kept, k => rightRows[k]);
        _core = new(Core);
    }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>scaling * B @ A; an embedding's (B @ A)^T has the same norms.</summary>
    public static FactoredMatrix Of(TensorExpression a, TensorExpression b, double scaling)
    {
        double[][] right = RowsOf(a);
        double[][] left = RowsOf(b.Transpose());
        foreach (double[] column in left)
        {
            for (int i = 0; i < column.Length; i++)
            {
                column[i] *= scaling;
            }
        }

        return new FactoredMatrix(checked((int)b.Shape[0]), checked((int)a.Shape[1]), left, right);
    }

    /// <summary>The sum of two matrices of the same size, the second one times a factor.</summary>
    public FactoredMatrix Plus(FactoredMatrix other, double factor) => new(
        Rows, Columns, [.. _left, .. other._left.Select(column => Array.ConvertAll(column, value => factor * value))], [.. _right, .. other._right]);

    /// <summary>The Frobenius norm.</summary>
    public double Norm() => Math.Sqrt(_core.Value.Core.Sum(column => column.Sum(value => value * value)));

    /// <summary>The Frobenius norm of the difference; exactly 0 when the terms are the same numbers.</summary>
    public double Distance(FactoredMatrix other) => HasTermsOf(other) ? 0 : Plus(other, -1).Norm();

    /// <summary>The Frobenius inner product, from the factors' own products.</summary>
    public double Inner(FactoredMatrix other)
    {
        double sum = 0;
        for (int i = 0; i < _left.Length; i++)
        {
            for (int j = 0; j < other._left.Length; j++)
            {
                sum += SmallSvd.Dot(_left[i], other._left[j]) * SmallSvd.Dot(_right[i], other._right[j]);
            }
        }

        return sum;
    }

    /// <summary>The singular values, descending; as many as there are terms.</summary>
    public double[] SingularValues() => SmallSvd.Decompose(_core.Value.Core).Values;

    /// <summary>The best approximation of a rank: left = U S as columns, right = V^T as rows.</summary>
    public (double[][] Left, double[][] Right) Truncate(int rank)
    {
        (double[][] leftBasis, double[][] rightBasis, double[][] core) = _core.Value;
        (double[][] u, double[] values, double[][] v) = SmallSvd.Decompose(core);
        int kept = Math.Min(rank, values.Length);
        var left = new double[rank][];
        var right = new double[rank][];
        for (int k = 0; k < rank; k++)
        {
            left[k] = k < kept ? Combine(leftBasis, u[k], values[k]) : new double[Rows];
            right[k] = k < kept ? Combine(rightBasis, v[k], 1) : new double[Columns];
        }

        return (left, right);
    }

    private static double[] Combine(double[][] basis, double[] weights, double factor)
    {
        double[] sum = new double[basis[0].Length];
        for (int k = 0; k < basis.Length; k++)
        {
            for (int i = 0; i < sum.Length; i++)
            {
                sum[i] += factor * weights[k] * basis[k][i];
            }
        }

        return sum;
    }

    private bool HasTermsOf(FactoredMatrix other)
    {
        if (_left.Length != other._left.Length)
        {
            return false;
        }

        for (int k = 0; k < _left.Length; k++)
        {
            if (!_left[k].AsSpan().SequenceEqual(other._left[k]) || !_right[k].AsSpan().SequenceEqual(other._right[k]))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Left = Ql Rl, right^T = Qr Rr; the core Rl Rr^T has the singular values of the product. Columns of it.</summary>
    private (double[][] LeftBasis, double[][] RightBasis, double[][] Core) Core()
    {
        (double[][] leftBasis, double[][] leftTriangle) = SmallSvd.Orthonormalize(_left);
        (double[][] rightBasis, double[][] rightTriangle) = SmallSvd.Orthonormalize(_right);
        int rank = _left.Length;
        var core = new double[rank][];
        for (int j = 0; j < rank; j++)
        {
            core[j] = new double[rank];
            for (int i = 0; i < rank; i++)
            {
                double sum = 0;
                for (int k = 0; k < rank; k++)
                {
                    sum += leftTriangle[k][i] * rightTriangle[k][j];
                }

                core[j][i] = sum;
            }
        }

        return (leftBasis, rightBasis, core);
    }

    private static double[][] RowsOf(TensorExpression matrix)
    {
        double[] values = matrix.ToDoubleArray();
        int columns = (int)matrix.Shape[1];
        return [.. Enumerable.Range(0, (int)matrix.Shape[0]).Select(row => values.AsSpan(row * columns, columns).ToArray())];
    }
}
