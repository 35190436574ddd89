using System.Numerics.Tensors;
using Sway.Conversion.Mlx;

namespace Sway.Numerics;

/// <summary>
/// The leading singular triplets of a dense matrix. Small matrices are decomposed whole; large ones by Golub-Kahan-Lanczos
/// bidiagonalisation with full reorthogonalisation (Golub and Kahan 1965), which goes on until every wanted triplet's
/// residual is at the level of rounding.
/// </summary>
internal static class LeadingSingular
{
    private const int WholeUpTo = 320;
    private const double Tolerance = 1e-11;

    /// <summary>The best approximation of a rank: left = U S (rows, rank), right = V^T (rank, columns), both row-major; terms
    /// beyond the matrix's own rank are zero.</summary>
    public static (double[] Left, double[] Right) Of(double[] matrix, int rows, int columns, int rank)
    {
        int wanted = Math.Min(rank, Math.Min(rows, columns));
        (double[] left, double[] right) = Math.Min(rows, columns) <= WholeUpTo
            ? Whole(matrix, rows, columns, wanted)
            : Iterated(matrix, rows, columns, wanted);
        return wanted == rank ? (left, right) : (Widen(left, rows, wanted, rank), [.. right, .. new double[(rank - wanted) * columns]]);
    }

    private static (double[] Left, double[] Right) Whole(double[] matrix, int rows, int columns, int rank)
    {
        (double[] left, double[] right) = LeadingFactors.Singular(matrix, rows, columns, rank);
        if (rows <= columns)
        {
            return (left, right);
        }

        // The narrower side's vectors are orthonormal: here the left ones, and their lengths belong to the left factor.
        for (int j = 0; j < rank; j++)
        {
            Span<double> row = right.AsSpan(j * columns, columns);
            double norm = Math.Sqrt(SmallSvd.Dot(row, row));
            for (int i = 0; i < rows; i++)
            {
                left[(i * rank) + j] *= norm;
            }

            if (norm > 0)
            {
                TensorPrimitives.Divide(row, norm, row);
            }
        }

        return (left, right);
    }

    private static (double[] Left, double[] Right) Iterated(double[] matrix, int rows, int columns, int rank)
    {
        int most = Math.Min(rows, columns);
        var u = new List<double[]>();
        var v = new List<double[]>();
        var diagonal = new List<double>();
        var above = new List<double>();
        ulong seed = 0x9E3779B97F4A7C15;
        double[] next = Start(columns, v, ref seed);
        double carried = 0, scale = 0;
        for (int check = Math.Min(most, (2 * rank) + 16); ;)
        {
            v.Add(next);
            double[] left = TimesVector(matrix, rows, columns, next);
            if (u.Count > 0)
            {
                TensorPrimitives.MultiplyAdd(u[^1], -carried, left, left);
            }

            Orthogonalize(left, u);
            double alpha = Math.Sqrt(SmallSvd.Dot(left, left));
            scale = Math.Max(scale, alpha);
            bool lost = alpha <= 1e-14 * scale;
            u.Add(lost ? Start(rows, u, ref seed) : Divided(left, alpha));
            diagonal.Add(lost ? 0 : alpha);

            double[] right = TransposedTimesVector(matrix, rows, columns, u[^1]);
            TensorPrimitives.MultiplyAdd(v[^1], -diagonal[^1], right, right);
            Orthogonalize(right, v);
            carried = Math.Sqrt(SmallSvd.Dot(right, right));
            scale = Math.Max(scale, carried);
            bool ended = carried <= 1e-14 * scale;
            carried = ended ? 0 : carried;
            int count = u.Count;
            if (count >= check || count == most)
            {
                (double[][] small, double[] values, double[][] smallRight) = Bidiagonal(diagonal, above);
                bool done = count == most || Enumerable.Range(0, rank).All(i => carried * Math.Abs(small[i][count - 1]) <= Tolerance * values[0]);
                if (done)
                {
                    return Assemble(u, v, small, values, smallRight, rows, columns, rank);
                }

                check = Math.Min(most, check + (check / 2));
            }

            above.Add(carried);
            next = ended ? Start(columns, v, ref seed) : Divided(right, carried);
        }
    }

    /// <summary>The singular value decomposition of the upper bidiagonal matrix; vectors as arrays.</summary>
    private static (double[][] U, double[] Values, double[][] V) Bidiagonal(List<double> diagonal, List<double> above)
    {
        int count = diagonal.Count;
        var columns = new double[count][];
        for (int j = 0; j < count; j++)
        {
            columns[j] = new double[count];
            columns[j][j] = diagonal[j];
            if (j > 0)
            {
                columns[j][j - 1] = above[j - 1];
            }
        }

        return SmallSvd.Decompose(columns);
    }

    private static (double[] Left, double[] Right) Assemble(
        List<double[]> u, List<double[]> v, double[][] small, double[] values, double[][] smallRight, int rows, int columns, int rank)
    {
        double[] left = new double[rows * rank], right = new double[rank * columns];
        double[] column = new double[rows];
        for (int j = 0; j < rank; j++)
        {
            Array.Clear(column);
            for (int k = 0; k < u.Count; k++)
            {
                TensorPrimitives.MultiplyAdd(u[k], values[j] * small[j][k], column, column);
                TensorPrimitives.MultiplyAdd(v[k], smallRight[j][k], right.AsSpan(j * columns, columns), right.AsSpan(j * columns, columns));
            }

            for (int i = 0; i < rows; i++)
            {
                left[(i * rank) + j] = column[i];
            }
        }

        return (left, right);
    }

    private static double[] TimesVector(double[] matrix, int rows, int columns, double[] vector)
    {
        double[] product = new double[rows];
        for (int i = 0; i < rows; i++)
        {
            product[i] = SmallSvd.Dot(matrix.AsSpan(i * columns, columns), vector);
        }

        return product;
    }

    private static double[] TransposedTimesVector(double[] matrix, int rows, int columns, double[] vector)
    {
        double[] product = new double[columns];
        for (int i = 0; i < rows; i++)
        {
            TensorPrimitives.MultiplyAdd(matrix.AsSpan(i * columns, columns), vector[i], product, product);
        }

        return product;
    }

    private static void Orthogonalize(double[] vector, List<double[]> basis)
    {
        for (int pass = 0; pass < 2; pass++)
        {
            foreach (double[] direction in basis)
            {
                TensorPrimitives.MultiplyAdd(direction, -SmallSvd.Dot(direction, vector), vector, vector);
            }
        }
    }

    /// <summary>A fixed pseudo-random direction, orthogonal to the ones before: the same input gives the same bits.</summary>
    private static double[] Start(int length, List<double[]> basis, ref ulong seed)
    {
        double[] vector = new double[length];
        for (int i = 0; i < length; i++)
        {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            vector[i] = (seed >> 11) * (1.0 / (1ul << 53)) - 0.5;
        }

        Orthogonalize(vector, basis);
        return Divided(vector, Math.Sqrt(SmallSvd.Dot(vector, vector)));
    }

    private static double[] Divided(double[] vector, double divisor)
    {
        TensorPrimitives.Divide(vector, divisor, vector);
        return vector;
    }

    private static double[] Widen(double[] left, int rows, int from, int to)
    {
        double[] wide = new double[rows * to];
        for (int i = 0; i < rows; i++)
        {
            left.AsSpan(i * from, from).CopyTo(wide.AsSpan(i * to));
        }

        return wide;
    }
}
