using Sway.Adapters;
using Sway.Tensors;

namespace Sway.Conversion;

/// <summary>Reads a written mlx-lm adapter back and compares every module's delta with the source's.</summary>
internal static class DeltaVerifier
{
    /// <summary>The largest relative difference, in the Frobenius norm, of any module; 0 when all are equal.</summary>
    /// <param name="path">The written tensors.</param>
    /// <param name="deltas">The source's deltas.</param>
    /// <param name="scale">The written scale.</param>
    /// <param name="cancellationToken">Stops between modules.</param>
    public static double LargestDifference(string path, IReadOnlyList<PlannedDelta> deltas, double scale, CancellationToken cancellationToken)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        double largest = 0;
        foreach (PlannedDelta delta in deltas)
        {
            cancellationToken.ThrowIfCancellationRequested();
            TensorExpression a = file.Get($"{delta.Path}.lora_a"), b = file.Get($"{delta.Path}.lora_b");
            bool experts = delta.RankAxisOfA == 1;
            long count = experts ? a.Shape[0] : 1;
            TensorExpression firstA = experts ? delta.A.Recalled() : delta.A, firstB = experts ? delta.B.Recalled() : delta.B;
            for (long e = 0; e < count; e++)
            {
                LowRank source = experts
                    ? new LowRank(firstA.Index(0, e), firstB.Index(0, e), delta.Scaling)
                    : new LowRank(delta.A, delta.B, delta.Scaling);
                LowRank written = experts
                    ? new LowRank(a.Index(0, e), b.Index(0, e), scale)
                    : new LowRank(a.Transpose(), b.Transpose(), scale);
                largest = Math.Max(largest, LowRank.RelativeDifference(source, written));
            }
        }

        return largest;
    }

    /// <summary>Throws when the difference is more than rounding to float32 explains.</summary>
    public static void Require(double difference, string path)
    {
        const double Limit = 1e-6;
        if (!(difference <= Limit))
        {
            throw new ConversionRefusedException(
                path, [new Refusal(RefusalCategory.BadFile, FormattableString.Invariant($"Verifying failed: a written delta differs from the source's by {difference:G3}, relatively; nothing was kept."))]);
        }
    }
}
