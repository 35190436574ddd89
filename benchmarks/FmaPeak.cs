using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sway.Benchmarks;

/// <summary>The most fused multiply-adds that one thread makes: sixteen independent chains that never leave the registers.</summary>
internal static class FmaPeak
{
    private const int Chains = 16;

    /// <summary>Operations (two for each product and sum) in a second of one call; the best of many short ones is the peak.</summary>
    public static double Once()
    {
        const int Steps = 21_000;
        double seconds = Best.Of(1, () => Sink = Vector512.IsHardwareAccelerated ? Wide(Steps) : Vector256.IsHardwareAccelerated ? Middle(Steps) : Narrow(Steps));
        int lanes = Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : 4;
        return 2.0 * Chains * lanes * Steps / seconds;
    }

    private static float Sink { get; set; }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Wide(int steps)
    {
        var (s, t) = (Vector512.Create(1.0000001f), Vector512.Create(0.5f));
        Vector512<float> a = t, b = t, c = t, d = t, e = t, f = t, g = t, h = t, i = t, j = t, k = t, l = t, m = t, n = t, o = t, p = t;
        for (int step = 0; step < steps; step++)
        {
            a = Vector512.FusedMultiplyAdd(s, t, a);
            b = Vector512.FusedMultiplyAdd(s, t, b);
            c = Vector512.FusedMultiplyAdd(s, t, c);
            d = Vector512.FusedMultiplyAdd(s, t, d);
            e = Vector512.FusedMultiplyAdd(s, t, e);
            f = Vector512.FusedMultiplyAdd(s, t, f);
            g = Vector512.FusedMultiplyAdd(s, t, g);
            h = Vector512.FusedMultiplyAdd(s, t, h);
            i = Vector512.FusedMultiplyAdd(s, t, i);
            j = Vector512.FusedMultiplyAdd(s, t, j);
            k = Vector512.FusedMultiplyAdd(s, t, k);
            l = Vector512.FusedMultiplyAdd(s, t, l);
            m = Vector512.FusedMultiplyAdd(s, t, m);
            n = Vector512.FusedMultiplyAdd(s, t, n);
            o = Vector512.FusedMultiplyAdd(s, t, o);
            p = Vector512.FusedMultiplyAdd(s, t, p);
        }

        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p);
    }

    // Twelve chains, more often: sixteen and the two factors would not fit the sixteen registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Middle(int steps)
    {
        var (s, t) = (Vector256.Create(1.0000001f), Vector256.Create(0.5f));
        Vector256<float> a = t, b = t, c = t, d = t, e = t, f = t, g = t, h = t, i = t, j = t, k = t, l = t;
        for (int step = 0; step < steps / 3 * 4; step++)
        {
            a = Vector256.FusedMultiplyAdd(s, t, a);
            b = Vector256.FusedMultiplyAdd(s, t, b);
            c = Vector256.FusedMultiplyAdd(s, t, c);
            d = Vector256.FusedMultiplyAdd(s, t, d);
            e = Vector256.FusedMultiplyAdd(s, t, e);
            f = Vector256.FusedMultiplyAdd(s, t, f);
            g = Vector256.FusedMultiplyAdd(s, t, g);
            h = Vector256.FusedMultiplyAdd(s, t, h);
            i = Vector256.FusedMultiplyAdd(s, t, i);
            j = Vector256.FusedMultiplyAdd(s, t, j);
            k = Vector256.FusedMultiplyAdd(s, t, k);
            l = Vector256.FusedMultiplyAdd(s, t, l);
        }

        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Narrow(int steps)
    {
        var (s, t) = (Vector128.Create(1.0000001f), Vector128.Create(0.5f));
        Vector128<float> a = t, b = t, c = t, d = t, e = t, f = t, g = t, h = t;
        for (int step = 0; step < 2 * steps; step++)
        {
            a = Vector128.FusedMultiplyAdd(s, t, a);
            b = Vector128.FusedMultiplyAdd(s, t, b);
            c = Vector128.FusedMultiplyAdd(s, t, c);
            d = Vector128.FusedMultiplyAdd(s, t, d);
            e = Vector128.FusedMultiplyAdd(s, t, e);
            f = Vector128.FusedMultiplyAdd(s, t, f);
            g = Vector128.FusedMultiplyAdd(s, t, g);
            h = Vector128.FusedMultiplyAdd(s, t, h);
        }

        return Vector128.Sum(a + b + c + d + e + f + g + h);
    }
}
