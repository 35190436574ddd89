using Sway.Tensors;

namespace Sway.Conversion;

/// <summary>A delta scaling * B (out, r) @ A (r, in), compared through its factors, never as a dense matrix.</summary>
internal sealed class LowRank(TensorExpression a, TensorExpression b, double scaling)
{
    private readonly double[] _a = a.ToDoubleArray();
    private readonly double[] _b = b.ToDoubleArray();

    public int Rank { get; } = (int)a.Shape[0];

    public int Inputs { get; } = (int)a.Shape[1];

    public int Outputs { get; } = (int)b.Shape[0];

    public double Scaling { get; } = scaling;

    /// <summary>||left - right|| / ||left||, in the Frobenius norm; exactly 0 when the factors are the same numbers, apart
    /// from added zeros.</summary>
    public static double RelativeDifference(LowRank left, LowRank right)
    {
        if (left.Inputs != right.Inputs || left.Outputs != right.Outputs)
        {
            return double.PositiveInfinity;
        }

        if (SameFactors(left, right))
        {
            return 0;
        }

        double size = Math.Sqrt(Math.Max(0, left.NormSquared()));
        double difference = Math.Sqrt(Math.Max(0, DifferenceSquared(left, right)));
        return size == 0 ? (difference == 0 ? 0 : double.PositiveInfinity) : difference / size;
    }

    /// <summary>The Frobenius norm.</summary>
    public double Norm() => Math.Sqrt(Math.Max(0, NormSquared()));

    private static bool SameFactors(LowRank left, LowRank right)
    {
        if (left.Scaling != right.Scaling || right.Rank < left.Rank)
        {
            return false;
        }

        for (int j = 0; j < right.Rank; j++)
        {
            for (int k = 0; k < left.Inputs; k++)
            {
                if ((j < left.Rank ? left._a[(j * left.Inputs) + k] : 0) != right._a[(j * right.Inputs) + k])
                {
                    return false;
                }
            }

            for (int o = 0; o < left.Outputs; o++)
            {
                if ((j < left.Rank ? left._b[(o * left.Rank) + j] : 0) != right._b[(o * right.Rank) + j])
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>||L - R||^2 without the cancellation of three Gram products where the ranks agree: with D = Bl - Br (scaled),
    /// L - R = D Al + Br (Al - Ar).</summary>
    private static double DifferenceSquared(LowRank left, LowRank right)
    {
        int rank = Math.Max(left.Rank, right.Rank), inputs = left.Inputs, outputs = left.Outputs;
        double[] difference = new double[outputs * 2 * rank];
        double[] stacked = new double[2 * rank * inputs];
        for (int j = 0; j < rank; j++)
        {
            for (int o = 0; o < outputs; o++)
            {
                double l = j < left.Rank ? left.Scaling * left._b[(o * left.Rank) + j] : 0;
                double r = j < right.Rank ? right.Scaling * right._b[(o * right.Rank) + j] : 0;
                difference[(o * 2 * rank) + j] = l - r;
                difference[(o * 2 * rank) + rank + j] = r;
            }

            for (int k = 0; k < inputs; k++)
            {
                double l = j < left.Rank ? left._a[(j * inputs) + k] : 0;
                double r = j < right.Rank ? right._a[(j * inputs) + k] : 0;
                stacked[(j * inputs) + k] = l;
                stacked[((rank + j) * inputs) + k] = l - r;
            }
        }

        return TraceOfGrams(difference, stacked, outputs, 2 * rank, inputs);
    }

    private double NormSquared() => Scaling * Scaling * TraceOfGrams(_b, _a, Outputs, Rank, Inputs);

    /// <summary>||B A||^2 = trace((B^T B)(A A^T)).</summary>
    private static double TraceOfGrams(double[] b, double[] a, int outputs, int rank, int inputs)
    {
        double sum = 0;
        for (int i = 0; i < rank; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                double left = 0;
                for (int o = 0; o < outputs; o++)
                {
                    left += b[(o * rank) + i] * b[(o * rank) + j];
                }

                double right = 0;
                for (int k = 0; k < inputs; k++)
                {
                    right += a[(i * inputs) + k] * a[(j * inputs) + k];
                }

                sum += (i == j ? 1 : 2) * left * right;
            }
        }

        return sum;
    }
}
