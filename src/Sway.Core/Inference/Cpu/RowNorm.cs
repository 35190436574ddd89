using System.Runtime.Intrinsics;

namespace Sway.Inference.Cpu;

/// <summary>Norms of single rows: sums in double, in one fixed order.</summary>
internal static unsafe class RowNorm
{
    /// <summary>The norm of a row.</summary>
    /// <param name="x">The row.</param>
    /// <param name="y">The result; may be the row itself.</param>
    /// <param name="width">Number of elements.</param>
    /// <param name="kind">The norm.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <param name="weight">Factors, or null.</param>
    /// <param name="first">Which of them is that of element 0.</param>
    /// <param name="bias">Added to each element, or null.</param>
    /// <param name="squares">The sum of the squares, where it is known.</param>
    public static void Run(
        float* x, float* y, int width, NormKind kind, double epsilon, float[]? weight, int first, float[]? bias, double? squares = null)
    {
        var mean = kind == NormKind.Layer ? Reductions.Sum(x, width) / width : 0.0;
        var sum = kind != NormKind.Layer && squares is { } known ? known : Reductions.SumSquares(x, width, mean);
        var inverse = 1.0 / Math.Sqrt((sum / width) + epsilon);
        var extra = kind == NormKind.RmsPlusOne ? 1f : 0f;
        var shift = (float)mean;
        var factor = (float)inverse;
        var i = 0;
        fixed (float* w = weight, b = bias)
        {
            for (; i + 16 <= width; i += 16)
            {
                // The same operations as below, element by element.
                var values = (Vector512.Load(x + i) - Vector512.Create(shift)) * Vector512.Create(factor);
                if (w != null)
                {
                    values *= Vector512.Load(w + first + i) + Vector512.Create(extra);
                }

                (b == null ? values : values + Vector512.Load(b + i)).Store(y + i);
            }
        }

        for (; i < width; i++)
        {
            var value = (x[i] - shift) * factor;
            if (weight is not null)
            {
                value *= weight[first + i] + extra;
            }

            y[i] = bias is null ? value : value + bias[i];
        }
    }
}
