namespace Sway.Conversion.Mlx;

/// <summary>The leading factors of a weight as PiSSA and OLoRA take them, in float64.</summary>
internal static class LeadingFactors
{
    private const int MaximumSweeps = 60;

    /// <summary>The best approximation of rank r of W (rows, columns): W_r = left (rows, r) @ right (r, columns), by one-sided
    /// Jacobi rotations of the narrower side's vectors.</summary>
    public static (double[] Left, double[] Right) Singular(double[] weight, int rows, int columns, int rank)
    {
        // Rotate the vectors along the shorter side: with W = U S V^T, the rotated rows are S V^T and W_r = U_r U_r^T W.
        bool byRows = rows <= columns;
        int count = byRows ? rows : columns, length = byRows ? columns : rows;
        double[][] vectors = new double[count][];
        for (int i = 0; i < count; i++)
        {
            vectors[i] = new double[length];
            for (int k = 0; k < length; k++)
            {
                vectors[i][k] = byRows ? weight[(i * columns) + k] : weight[(k * columns) + i];
            }
        }

        Orthogonalize(vectors);
        double[][] leading = [.. vectors.OrderByDescending(Norm).Take(rank).Select(Normalized)];
        double[] left = new double[rows * rank], right = new double[rank * columns];
        for (int j = 0; j < rank; j++)
        {
            for (int r = 0; r < rows; r++)
            {
                left[(r * rank) + j] = byRows ? Dot(weight.AsSpan(r * columns, columns), leading[j]) : leading[j][r];
            }

            for (int c = 0; c < columns; c++)
            {
                if (byRows)
                {
                    right[(j * columns) + c] = leading[j][c];
                    continue;
                }

                double sum = 0;
                for (int r = 0; r < rows; r++)
                {
                    sum += leading[j][r] * weight[(r * columns) + c];
                }

                right[(j * columns) + c] = sum;
            }
        }

        return (left, right);
    }

    /// <summary>The first r columns of Q and rows of R of W = Q R, by Gram-Schmidt with reorthogonalisation.</summary>
    public static (double[] Left, double[] Right) Orthogonal(double[] weight, int rows, int columns, int rank)
    {
        double[] left = new double[rows * rank], right = new double[rank * columns];
        double[][] q = new double[rank][];
        for (int j = 0; j < rank; j++)
        {
            q[j] = new double[rows];
            for (int r = 0; r < rows; r++)
            {
                q[j][r] = weight[(r * columns) + j];
            }

            for (int pass = 0; pass < 2; pass++)
            {
                for (int i = 0; i < j; i++)
                {
                    double overlap = Dot(q[i], q[j]);
                    for (int r = 0; r < rows; r++)
                    {
                        q[j][r] -= overlap * q[i][r];
                    }
                }
            }

            q[j] = Normalized(q[j]);
            for (int r = 0; r < rows; r++)
            {
                left[(r * rank) + j] = q[j][r];
                for (int c = 0; c < columns; c++)
                {
                    right[(j * columns) + c] += q[j][r] * weight[(r * columns) + c];
                }
            }
        }

        return (left, right);
    }

    private static void Orthogonalize(double[][] vectors)
    {
        for (int sweep = 0; sweep < MaximumSweeps; sweep++)
        {
            bool rotated = false;
            for (int p = 0; p < vectors.Length - 1; p++)
            {
                for (int q = p + 1; q < vectors.Length; q++)
                {
                    rotated |= Rotate(vectors[p], vectors[q]);
                }
            }

            if (!rotated)
            {
                return;
            }
        }
    }

    private static bool Rotate(double[] x, double[] y)
    {
        double a = Dot(x, x), b = Dot(y, y), c = Dot(x, y);
        if (Math.Abs(c) <= 1e-15 * Math.Sqrt(a * b) || c == 0)
        {
            return false;
        }

        double zeta = (b - a) / (2 * c);
        double t = (zeta >= 0 ? 1 : -1) / (Math.Abs(zeta) + Math.Sqrt(1 + (zeta * zeta)));
        double cos = 1 / Math.Sqrt(1 + (t * t)), sin = cos * t;
        for (int k = 0; k < x.Length; k++)
        {
            double u = x[k], v = y[k];
            x[k] = (cos * u) - (sin * v);
            y[k] = (sin * u) + (cos * v);
        }

        return true;
    }

    private static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        double sum = 0;
        for (int i = 0; i < x.Length; i++)
        {
            sum += x[i] * y[i];
        }

        return sum;
    }

    private static double Norm(double[] x) => Math.Sqrt(Dot(x, x));

    private static double[] Normalized(double[] x)
    {
        double norm = Norm(x);
        return norm == 0 ? x : [.. x.Select(value => value / norm)];
    }
}
