using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sway.Inference.Cpu;

/// <summary>Sums in double in one fixed order: eight interleaved partial sums, then their tree, then the rest.</summary>
internal static unsafe class Reductions
{
    /// <summary>Sum of x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Sum(float* x, int count)
    {
        var low = Vector512<double>.Zero;
        var high = Vector512<double>.Zero;
        var i = 0;
        for (; i + 16 <= count; i += 16)
        {
            var (a, b) = Vector512.Widen(Vector512.Load(x + i));
            low += a;
            high += b;
        }

        var sum = Tree(low + high);
        for (; i < count; i++)
        {
            sum += x[i];
        }

        return sum;
    }

    /// <summary>Sum of (x - mean)^2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double SumSquares(float* x, int count, double mean)
    {
        var low = Vector512<double>.Zero;
        var high = Vector512<double>.Zero;
        var shift = Vector512.Create(mean);
        var i = 0;
        for (; i + 16 <= count; i += 16)
        {
            var (a, b) = Vector512.Widen(Vector512.Load(x + i));
            a -= shift;
            b -= shift;
            low += a * a;
            high += b * b;
        }

        var sum = Tree(low + high);
        for (; i < count; i++)
        {
            var d = x[i] - mean;
            sum += d * d;
        }

        return sum;
    }

    /// <summary>The sum of eight partial sums.</summary>
    public static double Tree(Vector512<double> v)
    {
        var four = v.GetLower() + v.GetUpper();
        var two = four.GetLower() + four.GetUpper();
        return two[0] + two[1];
    }
}
