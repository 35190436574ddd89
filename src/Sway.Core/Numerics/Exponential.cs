using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sway.Numerics;

/// <summary>
/// e^x for vectors, made of additions, products and fused multiply-adds alone, so that every processor and every vector width gives
/// the same bits (the runtime's own functions do not promise that).
/// </summary>
/// <remarks>
/// x = n ln 2 + r with |r| &lt;= ln 2 / 2; e^r is its Taylor polynomial, whose remainder is below a tenth of the last digit, and 2^n is made
/// from its exponent bits. ln 2 is subtracted in two parts (Cody and Waite 1980). What is not a number stays so.
/// </remarks>
internal static class Exponential
{
    // The first product n * high is exact: high has trailing zeros enough.
    private const float HighSingle = 0.693359375f, LowSingle = -2.12194440054690583e-4f;

    private const double HighDouble = 6.93147180369123816490e-1, LowDouble = 1.90821492927058770002e-10;

    // 1.5 * 2^23 and 1.5 * 2^52: adding one of them rounds to an integer, which then stands in the lowest bits.
    private const float RoundSingle = 12582912f;

    private const double RoundDouble = 6755399441055744.0;

    /// <summary>e^x in float32, relative error below 1.5e-7; 0 below -87.33, infinity above 88.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Of(Vector512<float> x)
    {
        var shifted = Vector512.FusedMultiplyAdd(x, Vector512.Create(1.44269504088896341f), Vector512.Create(RoundSingle));
        var n = shifted - Vector512.Create(RoundSingle);
        var r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-HighSingle), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-LowSingle), r);
        var p = Vector512.Create(1f / 5040f);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 720f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 120f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 24f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 6f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(0.5f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512<float>.One);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512<float>.One);
        var power = ((shifted.AsInt32() << 23) + Vector512.Create(127 << 23)).AsSingle();
        var result = Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(-87.33f)), Vector512<float>.Zero, p * power);
        return Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512.Create(88f)), Vector512.Create(float.PositiveInfinity), result);
    }

    /// <summary>e^x in double, relative error below 3e-16; 0 below -708, infinity above 709.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Of(Vector512<double> x)
    {
        var shifted = Vector512.FusedMultiplyAdd(x, Vector512.Create(1.44269504088896340736), Vector512.Create(RoundDouble));
        var n = shifted - Vector512.Create(RoundDouble);
        var r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-HighDouble), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-LowDouble), r);
        var p = Vector512.Create(1.0 / 6227020800.0);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 479001600.0));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 39916800.0));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 3628800.0));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 362880.0));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 40320.0));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 5040.0));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 720.0));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 120.0));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 24.0));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.0 / 6.0));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(0.5));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512<double>.One);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512<double>.One);
        var power = ((shifted.AsInt64() << 52) + Vector512.Create(1023L << 52)).AsDouble();
        var result = Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(-708.0)), Vector512<double>.Zero, p * power);
        return Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512.Create(709.0)), Vector512.Create(double.PositiveInfinity), result);
    }
}
