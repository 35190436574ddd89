using Sway.Tensors;

namespace Sway.Merging;

/// <summary>
/// A matrix given as left (rows, rank) times right (rank, columns), in float64. Norms and singular values come from the
/// small core that is left when both factors are made orthonormal; the product itself is never built.
/// </summary>
internal sealed class FactoredMatrix
{
    private readonly double[][] _left;
    private readonly double[][] _right;

    /// <summary>Takes the columns of the left and the rows of the right factor.</summary>
    private FactoredMatrix(double[][] leftColumns, double[][] rightRows)
    {
        _left = leftColumns;
        _right = rightRows;
    }

    public int Rank => _left.Length;

    /// <summary>scaling * B @ A; an embedding's (B @ A)^T has the same norms.</summary>
    public static FactoredMatrix Of(TensorExpression a, TensorExpression b, double scaling)
    {
        double[][] right = Rows(a);
        double[][] left = Rows(b.Transpose());
        foreach (double[] column in left)
        {
            for (int i = 0; i < column.Length; i++)
            {
                column[i] *= scaling;
            }
        }

        return new FactoredMatrix(left, right);
    }

    /// <summary>The sum of two matrices of the same size, the second one times a factor.</summary>
    public FactoredMatrix Plus(FactoredMatrix other, double factor) => new(
        [.. _left, .. other._left.Select(column => Array.ConvertAll(column, value => factor * value))], [.. _right, .. other._right]);

    /// <summary>The Frobenius norm.</summary>
    public double Norm() => Math.Sqrt(Core().Core.Sum(column => column.Sum(value => value * value)));

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

    /// <summary>The singular values, descending.</summary>
    public double[] SingularValues() => SmallSvd.Decompose(Core().Core).Values;

    /// <summary>The best approximation of a rank: left = U S as columns, right = V^T as rows.</summary>
    public (double[][] Left, double[][] Right) Truncate(int rank)
    {
        (double[][] leftBasis, double[][] rightBasis, double[][] core) = Core();
        (double[][] u, double[] values, double[][] v) = SmallSvd.Decompose(core);
        int kept = Math.Min(rank, values.Length);
        var left = new double[rank][];
        var right = new double[rank][];
        for (int k = 0; k < rank; k++)
        {
            left[k] = k < kept ? Combine(leftBasis, u[k], values[k]) : new double[leftBasis[0].Length];
            right[k] = k < kept ? Combine(rightBasis, v[k], 1) : new double[rightBasis[0].Length];
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

    /// <summary>Left = Ql Rl, right^T = Qr Rr; the core Rl Rr^T has the singular values of the product. Columns of it.</summary>
    private (double[][] LeftBasis, double[][] RightBasis, double[][] Core) Core()
    {
        (double[][] leftBasis, double[][] leftTriangle) = SmallSvd.Orthonormalize(_left);
        (double[][] rightBasis, double[][] rightTriangle) = SmallSvd.Orthonormalize(_right);
        int rank = Rank;
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

    private static double[][] Rows(TensorExpression matrix)
    {
        double[] values = matrix.ToDoubleArray();
        int columns = (int)matrix.Shape[1];
        return [.. Enumerable.Range(0, (int)matrix.Shape[0]).Select(row => values.AsSpan(row * columns, columns).ToArray())];
    }
}
