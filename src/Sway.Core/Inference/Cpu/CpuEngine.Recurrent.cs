namespace Sway.Inference.Cpu;

public sealed unsafe partial class CpuEngine
{
    /// <inheritdoc/>
    public EngineTensor ShortConvolution(
        EngineTensor projected, EngineWeight kernel, EngineWeight? bias, int taps, BatchLayout layout, int layer)
    {
        var source = (CpuTensor)projected;
        var width = source.Width / 3;
        var result = New(source.Rows, width);
        var weights = ((CpuVector)kernel).Values;
        var biases = (bias as CpuVector)?.Values;
        using var gated = New(source.Rows, width);
        for (var row = 0; row < source.Rows; row++)
        {
            var b = source.Row(row);
            var x = b + (2 * width);
            var to = gated.Row(row);
            for (var i = 0; i < width; i++)
            {
                to[i] = b[i] * x[i];
            }
        }

        foreach (var lane in layout.Lanes)
        {
            var history = Convolve(lane, gated, weights, biases, taps, layer, result);
            for (var i = 0; i < lane.Count; i++)
            {
                var c = source.Row(lane.FirstRow + i) + width;
                var to = result.Row(lane.FirstRow + i);
                for (var j = 0; j < width; j++)
                {
                    to[j] *= c[j];
                }
            }

            Keep(lane, layer, history);
        }

        return result;
    }

    /// <inheritdoc/>
    public EngineTensor DeltaRule(
        EngineTensor projected, EngineTensor beta, EngineTensor decay, DeltaRuleWeights weights, BatchLayout layout, int layer)
    {
        var spec = weights.Spec;
        var source = (CpuTensor)projected;
        using var mixed = New(source.Rows, source.Width);
        var kernel = ((CpuVector)weights.Kernel).Values;
        foreach (var lane in layout.Lanes)
        {
            Keep(lane, layer, Convolve(lane, source, kernel, null, spec.Taps, layer, mixed));
        }

        for (var row = 0; row < mixed.Rows; row++)
        {
            for (var i = 0; i < mixed.Width; i++)
            {
                mixed.Row(row)[i] *= Functions.Sigmoid(mixed.Row(row)[i]);
            }
        }

        var result = New(source.Rows, spec.ValueHeads * spec.ValueSize);
        var logA = ((CpuVector)weights.LogA).Values;
        var step = ((CpuVector)weights.StepBias).Values;
        var lanes = layout.Lanes;
        var units = lanes.Count * spec.ValueHeads;
        foreach (var lane in lanes)
        {
            if (lane.Memory is { } memory)
            {
                memory[layer].State ??= new float[spec.ValueHeads * spec.KeySize * spec.ValueSize];
            }
        }

        _workers.For(units, (long)source.Rows * spec.ValueHeads * spec.KeySize * spec.ValueSize * 4, unit =>
            DeltaHead(lanes[unit / spec.ValueHeads], unit % spec.ValueHeads, spec, mixed, (CpuTensor)beta, (CpuTensor)decay, logA, step, layer, result));
        return result;
    }

    // S = e^g S; S += k (beta (v - S^T k))^T; o = S^T q, with q and k of unit length and q scaled by 1/sqrt(size). The state is
    // float32, each sum one chain in ascending key dimension.
    private static void DeltaHead(
        Lane lane, int head, DeltaRuleSpec spec, CpuTensor mixed, CpuTensor beta, CpuTensor decay, float[] logA, float[] step, int layer,
        CpuTensor result)
    {
        int keySize = spec.KeySize, valueSize = spec.ValueSize;
        var kept = lane.Memory?[layer].State;
        var state = new float[keySize * valueSize];
        kept?.AsSpan(head * state.Length, state.Length).CopyTo(state);
        var q = new float[keySize];
        var k = new float[keySize];
        var delta = new float[valueSize];
        var keyHead = head / (spec.ValueHeads / spec.KeyHeads);
        var keys = spec.KeyHeads * keySize;
        for (var t = 0; t < lane.Count; t++)
        {
            var row = lane.FirstRow + t;
            Unit(mixed.Row(row) + (keyHead * keySize), q, 1.0 / Math.Sqrt(keySize));
            Unit(mixed.Row(row) + keys + (keyHead * keySize), k, 1.0);
            var v = mixed.Row(row) + (2 * keys) + (head * valueSize);
            var write = Functions.Sigmoid(beta.Row(row)[head]);
            var rate = (float)Math.Exp(-Math.Exp(logA[head]) * SoftPlus((double)decay.Row(row)[head] + step[head]));
            Array.Clear(delta);
            for (var i = 0; i < keySize; i++)
            {
                var line = state.AsSpan(i * valueSize, valueSize);
                for (var j = 0; j < valueSize; j++)
                {
                    line[j] *= rate;
                    delta[j] = MathF.FusedMultiplyAdd(line[j], k[i], delta[j]);
                }
            }

            for (var j = 0; j < valueSize; j++)
            {
                delta[j] = (v[j] - delta[j]) * write;
            }

            var output = new Span<float>(result.Row(row) + (head * valueSize), valueSize);
            output.Clear();
            for (var i = 0; i < keySize; i++)
            {
                var line = state.AsSpan(i * valueSize, valueSize);
                for (var j = 0; j < valueSize; j++)
                {
                    line[j] = MathF.FusedMultiplyAdd(k[i], delta[j], line[j]);
                    output[j] = MathF.FusedMultiplyAdd(line[j], q[i], output[j]);
                }
            }
        }

        if (kept is not null)
        {
            state.CopyTo(kept.AsSpan(head * state.Length));
        }
    }

    private static void Unit(float* source, float[] destination, double factor)
    {
        var inverse = factor / Math.Sqrt(Reductions.SumSquares(source, destination.Length, 0.0) + 1e-6);
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = (float)(source[i] * inverse);
        }
    }

    private static double SoftPlus(double x) => x > 20.0 ? x : Math.Log(1.0 + Math.Exp(x));

    // A causal convolution of each column; returns the inputs that the next call needs.
    private static float[] Convolve(Lane lane, CpuTensor x, float[] kernel, float[]? bias, int taps, int layer, CpuTensor result)
    {
        var width = x.Width;
        var before = taps - 1;
        var past = lane.Memory?[layer].Convolution;
        var line = new float[(before + lane.Count) * width];
        past?.CopyTo(line, 0);
        new ReadOnlySpan<float>(x.Row(lane.FirstRow), lane.Count * width).CopyTo(line.AsSpan(before * width));
        for (var t = 0; t < lane.Count; t++)
        {
            var to = result.Row(lane.FirstRow + t);
            for (var j = 0; j < width; j++)
            {
                var sum = bias is null ? 0f : bias[j];
                for (var tap = 0; tap < taps; tap++)
                {
                    sum = MathF.FusedMultiplyAdd(line[((t + tap) * width) + j], kernel[(j * taps) + tap], sum);
                }

                to[j] = sum;
            }
        }

        return line[(lane.Count * width)..];
    }

    private static void Keep(Lane lane, int layer, float[] history)
    {
        if (lane.Memory is { } memory)
        {
            memory[layer].Convolution = history;
        }
    }
}
