using System.Numerics.Tensors;

namespace Sway.Inference.Cpu;

public sealed unsafe partial class CpuEngine
{
    /// <inheritdoc/>
    public EngineTensor ShortConvolution(
        EngineTensor projected, EngineWeight kernel, EngineWeight? bias, int taps, BatchLayout layout, int layer)
    {
        var source = Settled(projected);
        var width = source.Width / 3;
        var result = New(source.Rows, width);
        using var gated = New(source.Rows, width);
        ForRows(source.Rows, width, row =>
        {
            var b = source.Row(row);
            TensorPrimitives.Multiply(new Span<float>(b, width), new Span<float>(b + (2 * width), width), new Span<float>(gated.Row(row), width));
        });
        Convolve(layout, gated, ((CpuVector)kernel).Values, (bias as CpuVector)?.Values, taps, layer, result);
        ForRows(source.Rows, width, row =>
        {
            var to = new Span<float>(result.Row(row), width);
            TensorPrimitives.Multiply(to, new Span<float>(source.Row(row) + width, width), to);
        });
        return result;
    }

    /// <inheritdoc/>
    public EngineTensor DeltaRule(
        EngineTensor projected, EngineTensor beta, EngineTensor decay, DeltaRuleWeights weights, BatchLayout layout, int layer)
    {
        var spec = weights.Spec;
        var source = Settled(projected);
        using var mixed = New(source.Rows, source.Width);
        Convolve(layout, source, ((CpuVector)weights.Kernel).Values, null, spec.Taps, layer, mixed);
        ForRows(mixed.Rows, (long)mixed.Width * 8, row =>
        {
            var x = mixed.Row(row);
            for (var i = 0; i < mixed.Width; i++)
            {
                x[i] *= Functions.Sigmoid(x[i]);
            }
        });
        var result = New(source.Rows, spec.ValueHeads * spec.ValueSize);
        var task = new DeltaRuleTask(
            spec, mixed, Settled(beta), Settled(decay), ((CpuVector)weights.LogA).Values, ((CpuVector)weights.StepBias).Values, result,
            _workers.Cancellation);

        // A lane goes on from the state of its parent: generation by generation, all heads of one at once.
        var states = new Dictionary<Lane, float[]>();
        foreach (var generation in Generations(layout))
        {
            foreach (var lane in generation)
            {
                states[lane] = StartState(lane, states, spec, layer);
            }

            _workers.For(
                generation.Count * spec.ValueHeads, (long)source.Rows * spec.ValueHeads * spec.KeySize * spec.ValueSize * 4,
                unit => task.Head(generation[unit / spec.ValueHeads], unit % spec.ValueHeads, states[generation[unit / spec.ValueHeads]]));
        }

        return result;
    }

    private static float[] StartState(Lane lane, Dictionary<Lane, float[]> states, DeltaRuleSpec spec, int layer)
    {
        if (lane.Memory is { } memory)
        {
            return memory[layer].State ??= new float[spec.ValueHeads * spec.KeySize * spec.ValueSize];
        }

        return lane.Parent is { } parent
            ? (float[])states[parent].Clone()
            : new float[spec.ValueHeads * spec.KeySize * spec.ValueSize];
    }

    // Roots, their children, their children's children ...; parents stand before children.
    private static List<List<Lane>> Generations(BatchLayout layout)
    {
        var depths = new Dictionary<Lane, int>();
        var generations = new List<List<Lane>>();
        foreach (var lane in layout.Lanes)
        {
            var depth = lane.Parent is { } parent ? depths[parent] + 1 : 0;
            depths[lane] = depth;
            if (depth == generations.Count)
            {
                generations.Add([]);
            }

            generations[depth].Add(lane);
        }

        return generations;
    }

    // A causal convolution of each column over the tokens of each lane and what came before them.
    private void Convolve(BatchLayout layout, CpuTensor x, float[] kernel, float[]? bias, int taps, int layer, CpuTensor result)
    {
        // By taps, then columns, so that columns lie side by side.
        var width = x.Width;
        var byTap = new float[taps * width];
        for (var j = 0; j < width; j++)
        {
            for (var tap = 0; tap < taps; tap++)
            {
                byTap[(tap * width) + j] = kernel[(j * taps) + tap];
            }
        }

        foreach (var lane in layout.Lanes)
        {
            var before = Before(lane, x, taps - 1, layer);
            _workers.For(lane.Count, (long)lane.Count * width * taps, t =>
            {
                var to = new Span<float>(result.Row(lane.FirstRow + t), width);
                if (bias is null)
                {
                    to.Clear();
                }
                else
                {
                    bias.CopyTo(to);
                }

                for (var tap = 0; tap < taps; tap++)
                {
                    var at = t + tap - (taps - 1);
                    var from = at >= 0
                        ? new ReadOnlySpan<float>(x.Row(lane.FirstRow + at), width)
                        : before.AsSpan((at + taps - 1) * width, width);
                    TensorPrimitives.FusedMultiplyAdd(from, byTap.AsSpan(tap * width, width), to, to);
                }
            });
            if (lane.Memory is { } memory)
            {
                memory[layer].Convolution = After(lane, x, before, taps - 1);
            }
        }
    }

    // The inputs of the last positions before a lane, (count, width): of its ancestors, of a memory, else zeros.
    private static float[] Before(Lane lane, CpuTensor x, int count, int layer)
    {
        var before = new float[count * x.Width];
        var root = lane.Root;
        for (var i = 0; i < count; i++)
        {
            var position = lane.Start - count + i;
            var to = before.AsSpan(i * x.Width, x.Width);
            if (lane.At(position) is { } holder)
            {
                new ReadOnlySpan<float>(x.Row(holder.FirstRow + position - holder.Start), x.Width).CopyTo(to);
            }
            else if (root.Memory?[layer].Convolution is { } past && position >= root.Start - count)
            {
                past.AsSpan((position - root.Start + count) * x.Width, x.Width).CopyTo(to);
            }
        }

        return before;
    }

    private static float[] After(Lane lane, CpuTensor x, float[] before, int count)
    {
        var after = new float[count * x.Width];
        for (var i = 0; i < count; i++)
        {
            var at = lane.Count - count + i;
            var from = at >= 0
                ? new ReadOnlySpan<float>(x.Row(lane.FirstRow + at), x.Width)
                : before.AsSpan((at + count) * x.Width, x.Width);
            from.CopyTo(after.AsSpan(i * x.Width));
        }

        return after;
    }
}
