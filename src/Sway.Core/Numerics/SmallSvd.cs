using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace Sway.Numerics;

/// <summary>Orthogonal factorizations of small matrices in float64; a matrix is an array of its columns.</summary>
internal static class SmallSvd
{
    private const int MaximumSweeps = 60;

    /// <summary>
    /// Gram-Schmidt, twice for each column, so that the basis is orthonormal to machine precision. A column that depends on
    /// the ones before gets a zero in the basis. <c>Triangle[k][i]</c> is column k's part of basis vector i.
    /// </summary>
    public static (double[][] Basis, double[][] Triangle) Orthonormalize(double[][] columns)
    {
        int count = columns.Length;
        var basis = new double[count][];
        var triangle = new double[count][];
        for (int k = 0; k < count; k++)
        {
            double[] vector = [.. columns[k]];
            triangle[k] = new double[count];
            double size = Math.Sqrt(Dot(vector, vector));
            for (int pass = 0; pass < 2; pass++)
            {
                for (int i = 0; i < k; i++)
                {
                    double part = Dot(basis[i], vector);
                    triangle[k][i] += part;
                    Subtract(vector, basis[i], part);
                }
            }

            double rest = Math.Sqrt(Dot(vector, vector));
            if (rest <= 1e-14 * size)
            {
                basis[k] = new double[vector.Length];
                continue;
            }

            triangle[k][k] = rest;
            basis[k] = Array.ConvertAll(vector, value => value / rest);
        }

        return (basis, triangle);
    }

    /// <summary>One-sided Jacobi (Hestenes 1958): columns are rotated until they are orthogonal, which finds small singular
    /// values to full relative accuracy.</summary>
    public static (double[][] U, double[] Values, double[][] V) Decompose(double[][] matrix)
    {
        int count = matrix.Length;
        double[][] work = Array.ConvertAll(matrix, column => (double[])column.Clone());
        double[][] rotations = [.. Enumerable.Range(0, count).Select(i => Unit(count, i))];
        for (int sweep = 0; sweep < MaximumSweeps && Sweep(work, rotations); sweep++)
        {
        }

        double[] norms = Array.ConvertAll(work, column => Math.Sqrt(Dot(column, column)));
        int[] order = [.. Enumerable.Range(0, count).OrderByDescending(i => norms[i]).ThenBy(i => i)];
        return (
            [.. order.Select(i => norms[i] > 0 ? Array.ConvertAll(work[i], value => value / norms[i]) : work[i])],
            [.. order.Select(i => norms[i])],
            [.. order.Select(i => rotations[i])]);
    }

    /// <summary>The inner product, in eight sums of one fixed order whatever the machine's vectors are.</summary>
    public static double Dot(ReadOnlySpan<double> left, ReadOnlySpan<double> right)
    {
        Vector256<double> first = Vector256<double>.Zero, second = Vector256<double>.Zero;
        int i = 0;
        for (; i <= left.Length - 8; i += 8)
        {
            first += Vector256.Create(left.Slice(i, 4)) * Vector256.Create(right.Slice(i, 4));
            second += Vector256.Create(left.Slice(i + 4, 4)) * Vector256.Create(right.Slice(i + 4, 4));
        }

        first += second;
        double sum = (first[0] + first[1]) + (first[2] + first[3]);
        for (; i < left.Length; i++)
        {
            sum += left[i] * right[i];
        }

        return sum;
    }

    private static bool Sweep(double[][] work, double[][] rotations)
    {
        bool rotated = false;
        for (int p = 0; p < work.Length; p++)
        {
            for (int q = p + 1; q < work.Length; q++)
            {
                double alpha = Dot(work[p], work[p]), beta = Dot(work[q], work[q]), gamma = Dot(work[p], work[q]);
                if (Math.Abs(gamma) <= 1e-15 * Math.Sqrt(alpha * beta) || gamma == 0)
                {
                    continue;
                }

                double zeta = (beta - alpha) / (2 * gamma);
                double tangent = Math.CopySign(1, zeta) / (Math.Abs(zeta) + Math.Sqrt(1 + (zeta * zeta)));
                double cosine = 1 / Math.Sqrt(1 + (tangent * tangent));
                Rotate(work[p], work[q], cosine, cosine * tangent);
                Rotate(rotations[p], rotations[q], cosine, cosine * tangent);
                rotated = true;
            }
        }

        return rotated;
    }

    private static void Rotate(double[] left, double[] right, double cosine, double sine)
    {
        for (int i = 0; i < left.Length; i++)
        {
            (left[i], right[i]) = ((cosine * left[i]) - (sine * right[i]), (sine * left[i]) + (cosine * right[i]));
        }
    }

    private static void Subtract(double[] vector, double[] direction, double factor) => TensorPrimitives.MultiplyAdd(direction, -factor, vector, vector);

    private static double[] Unit(int size, int index)
    {
        double[] unit = new double[size];
        unit[index] = 1;
        return unit;
    }
}
