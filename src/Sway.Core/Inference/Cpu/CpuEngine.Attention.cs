namespace Sway.Inference.Cpu;

public sealed unsafe partial class CpuEngine
{
    // Queries times keys of a unit.
    private const int StepsOfUnit = 1 << 20;

    /// <inheritdoc/>
    public EngineTensor Attention(
        HeadView query, HeadView key, HeadView value, AttentionRule rule, EngineWeight? sinks, BatchLayout layout, int layer)
    {
        foreach (var heads in (ReadOnlySpan<HeadView>)[query, key, value])
        {
            Settled(heads.Tensor);
        }

        var result = New(query.Tensor.Rows, rule.Heads * rule.ValueSize);
        var sinkValues = (sinks as CpuVector)?.Values;
        foreach (var lane in layout.Lanes)
        {
            Remember(lane, key, value, rule, layer);
        }

        // A unit is one key head of one lane and a block of its queries: small enough to balance and to stop soon, large enough to
        // pay for packing the keys.
        var units = new List<AttentionUnit>();
        long cost = 0;
        foreach (var lane in layout.Lanes)
        {
            var block = Math.Clamp((lane.Count + 3) / 4, 64, Math.Max(64, StepsOfUnit / Math.Max(1, lane.Start + lane.Count)));
            for (var first = 0; first < lane.Count; first += block)
            {
                for (var head = 0; head < rule.KeyHeads; head++)
                {
                    units.Add(new AttentionUnit(lane, head, first, Math.Min(block, lane.Count - first)));
                }
            }

            cost += (long)lane.Count * (lane.Start + lane.Count) * rule.Heads * rule.HeadSize;
        }

        _workers.For(units.Count, cost, i => new AttentionTask(units[i], query, key, value, rule, sinkValues, layer, result).Run());
        return result;
    }

    private static void Remember(Lane lane, HeadView key, HeadView value, AttentionRule rule, int layer)
    {
        if (lane.Memory is not { } memory)
        {
            return;
        }

        var own = memory[layer];
        own.KeyWidth = rule.KeyHeads * rule.HeadSize;
        own.ValueWidth = rule.KeyHeads * rule.ValueSize;
        var total = lane.Start + lane.Count;
        if (own.Keys.Length < total * own.KeyWidth)
        {
            var capacity = lane.Start == 0 ? total : Math.Max(total, lane.Start * 3 / 2);
            own.Keys = Grow(own.Keys, lane.Start * own.KeyWidth, capacity * own.KeyWidth);
            own.Values = Grow(own.Values, lane.Start * own.ValueWidth, capacity * own.ValueWidth);
        }

        Store(lane, key, own.Keys, own.KeyWidth);
        Store(lane, value, own.Values, own.ValueWidth);
    }

    private static float[] Grow(float[] old, int used, int length)
    {
        var grown = new float[length];
        old.AsSpan(0, Math.Min(used, old.Length)).CopyTo(grown);
        return grown;
    }

    private static void Store(Lane lane, HeadView heads, float[] destination, int width)
    {
        var x = Settled(heads.Tensor);
        for (var i = 0; i < lane.Count; i++)
        {
            var to = destination.AsSpan((lane.Start + i) * width, width);
            for (var h = 0; h < heads.Heads; h++)
            {
                var from = x.Row(lane.FirstRow + i) + heads.Offset + (h * heads.Stride);
                new ReadOnlySpan<float>(from, heads.Size).CopyTo(to.Slice(h * heads.Size, heads.Size));
            }
        }
    }
}

/// <summary>A block of queries of one key head of one lane.</summary>
/// <param name="Lane">The lane.</param>
/// <param name="KeyHead">The key head.</param>
/// <param name="First">First query, counted from the lane's first new token.</param>
/// <param name="Count">Number of queries.</param>
internal sealed record AttentionUnit(Lane Lane, int KeyHead, int First, int Count);
