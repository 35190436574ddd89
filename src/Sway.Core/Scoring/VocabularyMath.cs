using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sway.Numerics;

namespace Sway.Scoring;

/// <summary>Sums over the vocabulary in double, in one fixed order: eight interleaved partial sums, then the rest.</summary>
internal static class VocabularyMath
{
    /// <summary>ln of the sum of e^x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double LogSumExp(ReadOnlySpan<float> logits)
    {
        var max = TensorPrimitives.Max(logits);
        var sums = Vector512<double>.Zero;
        var shift = Vector512.Create((double)max);
        var i = 0;
        for (; i + 16 <= logits.Length; i += 16)
        {
            var (low, high) = Vector512.Widen(Vector512.Create(logits[i..]));
            sums += Exponential.Of(low - shift) + Exponential.Of(high - shift);
        }

        var sum = Vector512.Sum(sums);
        for (; i < logits.Length; i++)
        {
            sum += Math.Exp(logits[i] - (double)max);
        }

        return max + Math.Log(sum);
    }

    /// <summary>ln of the sum of e^x over some tokens, with a compensated sum (Neumaier).</summary>
    /// <param name="logits">All logits.</param>
    /// <param name="tokens">The tokens, at least one, in descending order of their logits.</param>
    public static double LogSumExp(ReadOnlySpan<float> logits, ReadOnlySpan<int> tokens)
    {
        double max = logits[tokens[0]];
        double sum = 0.0, lost = 0.0;
        foreach (var token in tokens)
        {
            var term = Math.Exp(logits[token] - max);
            var next = sum + term;
            lost += sum >= term ? sum - next + term : term - next + sum;
            sum = next;
        }

        return max + Math.Log(sum + lost);
    }

    /// <summary>1 + the number of logits above that of a token.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Rank(ReadOnlySpan<float> logits, int token)
    {
        var own = Vector512.Create(logits[token]);
        var above = Vector512<int>.Zero;
        var i = 0;
        for (; i + 16 <= logits.Length; i += 16)
        {
            // True is -1 in every lane.
            above -= Vector512.GreaterThan(Vector512.Create(logits[i..]), own).AsInt32();
        }

        var rank = 1 + Vector512.Sum(above);
        for (; i < logits.Length; i++)
        {
            rank += logits[i] > logits[token] ? 1 : 0;
        }

        return rank;
    }

    /// <summary>KL(p||q), KL(q||p) and Jensen-Shannon of the softmax of two rows of logits.</summary>
    /// <remarks>
    /// With d = ln q - ln p: ln p - ln m = ln 2 - ln(1 + e^d), which is exactly 0 for d = 0; rows with the same bits give zeros.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (double KlPQ, double KlQP, double Js) Divergence(ReadOnlySpan<float> p, double lseP, ReadOnlySpan<float> q, double lseQ)
    {
        if (p.SequenceEqual(q))
        {
            return (0.0, 0.0, 0.0);
        }

        var (klPQ, klQP, js) = (Vector512<double>.Zero, Vector512<double>.Zero, Vector512<double>.Zero);
        var i = 0;
        for (; i + 8 <= p.Length; i += 8)
        {
            var lp = Widen(p[i..]) - Vector512.Create(lseP);
            var lq = Widen(q[i..]) - Vector512.Create(lseQ);
            var d = lq - lp;
            var (pp, qq) = (Exponential.Of(lp), Exponential.Of(lq));
            klPQ -= pp * d;
            klQP += qq * d;

            // Beyond 40 the one is negligible beside e^d, and e^d itself could overflow.
            var limited = Vector512.Min(d, Vector512.Create(40.0));
            var log = Vector512.Log(Vector512<double>.One + Exponential.Of(limited));
            var a = Vector512.Create(Math.Log(2.0)) - Vector512.Max(log, d);
            js += (pp * a) + (qq * (a + d));
        }

        var sums = (Vector512.Sum(klPQ), Vector512.Sum(klQP), Vector512.Sum(js));
        for (; i < p.Length; i++)
        {
            double lp = p[i] - lseP, lq = q[i] - lseQ, d = lq - lp;
            double pp = Math.Exp(lp), qq = Math.Exp(lq);
            sums.Item1 -= pp * d;
            sums.Item2 += qq * d;
            var a = Math.Log(2.0) - (d > 40.0 ? d : Math.Log(1.0 + Math.Exp(d)));
            sums.Item3 += (pp * a) + (qq * (a + d));
        }

        return (Clamp(sums.Item1), Clamp(sums.Item2), Math.Clamp(0.5 * sums.Item3, 0.0, Math.Log(2.0)));
    }

    private static Vector512<double> Widen(ReadOnlySpan<float> values)
    {
        var (low, high) = Vector256.Widen(Vector256.Create(values));
        return Vector512.Create(low, high);
    }

    // A divergence below zero by rounding alone is zero; more than that would be a defect and is shown.
    private static double Clamp(double kl) => kl < 0.0 && kl > -1e-9 ? 0.0 : kl;
}
