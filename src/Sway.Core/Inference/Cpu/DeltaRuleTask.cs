namespace Sway.Inference.Cpu;

/// <summary>
/// The gated delta rule of one head: S = e^g S; S += k (beta (v - S^T k))^T; o = S^T q, with q and k of unit length and q scaled by
/// 1/sqrt(size). The state is float32, each sum one chain of fused multiply-adds in ascending key dimension.
/// </summary>
internal sealed unsafe class DeltaRuleTask(
    DeltaRuleSpec spec, CpuTensor mixed, CpuTensor beta, CpuTensor decay, float[] logA, float[] step, CpuTensor result,
    CancellationToken cancellation)
{
    // Tokens between two looks at the cancellation.
    private const int Stretch = 64;

    /// <summary>Goes through the tokens of a lane.</summary>
    /// <param name="lane">The lane.</param>
    /// <param name="head">The value head.</param>
    /// <param name="states">States of all heads, (heads, key size, value size); before the lane on entry, after it on return.</param>
    public void Head(Lane lane, int head, float[] states)
    {
        int keySize = spec.KeySize, valueSize = spec.ValueSize;
        var state = states.AsSpan(head * keySize * valueSize, keySize * valueSize);
        Span<float> work = stackalloc float[(2 * keySize) + valueSize];
        var q = work[..keySize];
        var k = work.Slice(keySize, keySize);
        var delta = work[(2 * keySize)..];
        var keyHead = head / (spec.ValueHeads / spec.KeyHeads);
        var keys = spec.KeyHeads * keySize;
        for (var t = 0; t < lane.Count; t++)
        {
            if (t % Stretch == 0)
            {
                cancellation.ThrowIfCancellationRequested();
            }

            var row = lane.FirstRow + t;
            Unit(mixed.Row(row) + (keyHead * keySize), q, 1.0 / Math.Sqrt(keySize));
            Unit(mixed.Row(row) + keys + (keyHead * keySize), k, 1.0);
            var v = mixed.Row(row) + (2 * keys) + (head * valueSize);
            var write = Functions.Sigmoid(beta.Row(row)[head]);
            var rate = (float)Math.Exp(-Math.Exp(logA[head]) * SoftPlus((double)decay.Row(row)[head] + step[head]));
            Step(state, q, k, delta, v, write, rate, new Span<float>(result.Row(row) + (head * valueSize), valueSize));
        }
    }

    private static void Step(
        Span<float> state, ReadOnlySpan<float> q, ReadOnlySpan<float> k, Span<float> delta, float* v, float write, float rate, Span<float> output)
    {
        delta.Clear();
        for (var i = 0; i < k.Length; i++)
        {
            var line = state.Slice(i * delta.Length, delta.Length);
            for (var j = 0; j < line.Length; j++)
            {
                line[j] *= rate;
                delta[j] = MathF.FusedMultiplyAdd(line[j], k[i], delta[j]);
            }
        }

        for (var j = 0; j < delta.Length; j++)
        {
            delta[j] = (v[j] - delta[j]) * write;
        }

        output.Clear();
        for (var i = 0; i < k.Length; i++)
        {
            var line = state.Slice(i * delta.Length, delta.Length);
            for (var j = 0; j < line.Length; j++)
            {
                line[j] = MathF.FusedMultiplyAdd(k[i], delta[j], line[j]);
                output[j] = MathF.FusedMultiplyAdd(line[j], q[i], output[j]);
            }
        }
    }

    private static void Unit(float* source, Span<float> destination, double factor)
    {
        var inverse = factor / Math.Sqrt(Reductions.SumSquares(source, destination.Length, 0.0) + 1e-6);
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = (float)(source[i] * inverse);
        }
    }

    private static double SoftPlus(double x) => x > 20.0 ? x : Math.Log(1.0 + Math.Exp(x));
}
