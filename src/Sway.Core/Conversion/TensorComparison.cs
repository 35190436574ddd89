using Sway.Tensors;

namespace Sway.Conversion;

/// <summary>Compares tensors in bounded pieces.</summary>
internal static class TensorComparison
{
    private const long PieceElements = 1 << 19;

    /// <summary>True when all numbers are equal (types may differ; a NaN equals nothing).</summary>
    public static bool AreEqual(TensorExpression left, TensorExpression right)
    {
        long rows = left.Rank == 0 ? 1 : left.Shape[0];
        long perRow = Math.Max(1, left.ElementCount / Math.Max(rows, 1));
        long step = Math.Max(1, PieceElements / perRow);
        for (long row = 0; row < rows; row += step)
        {
            double[] a = ReadRows(left, row, Math.Min(step, rows - row));
            double[] b = ReadRows(right, row, Math.Min(step, rows - row));
            for (int i = 0; i < a.Length; i++)
            {
                if (a[i] != b[i])
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>Some leading indices of a tensor as float64.</summary>
    public static double[] ReadRows(TensorExpression value, long first, long count) => value.Rank == 0
        ? value.ToDoubleArray()
        : value.Slice(0, first, count).ToDoubleArray();

    /// <summary>Sum of squares, in one fixed order.</summary>
    public static double SumOfSquares(ReadOnlySpan<double> values)
    {
        double sum = 0;
        foreach (double value in values)
        {
            sum += value * value;
        }

        return sum;
    }
}
