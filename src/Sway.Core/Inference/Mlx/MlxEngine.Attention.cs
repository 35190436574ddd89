namespace Sway.Inference.Mlx;

public sealed unsafe partial class MlxEngine
{
    // Queries at once: scores of a block are (heads, queries, keys) numbers.
    private const int QueryBlock = 512;

    private readonly Dictionary<(int First, int Count, int Low, int High, int Window, int Chunk), MlxArray> _masks = [];

    /// <inheritdoc/>
    public EngineTensor Attention(
        HeadView query, HeadView key, HeadView value, AttentionRule rule, EngineWeight? sinks, BatchLayout layout, int layer)
    {
        using MlxOperations.Scope scope = _ops.Begin();
        Cancellation.ThrowIfCancellationRequested();
        MlxArray q = Heads(query);
        MlxArray k = Heads(key);
        MlxArray v = Heads(value);
        var parts = new List<MlxArray>();
        foreach ((int first, int lanes) in Groups(layout.Lanes))
        {
            Lane lane = layout.Lanes[first];
            int rows = lanes * lane.Count;
            MlxArray queries = Split(q, lane.FirstRow, lanes, lane.Count, rule.Heads, rule.HeadSize);
            MlxArray keys = Split(k, lane.FirstRow, lanes, lane.Count, rule.KeyHeads, rule.HeadSize);
            MlxArray values = Split(v, lane.FirstRow, lanes, lane.Count, rule.KeyHeads, rule.ValueSize);
            if (lane.Memory is { } memory)
            {
                (keys, values) = MlxMemory.Extend(_ops, memory[layer], lane.Start, keys, values);
            }
            else if (lane.Parent is not null)
            {
                keys = After(Before(lane, k, rule.KeyHeads, rule.HeadSize, layer, keySide: true), keys);
                values = After(Before(lane, v, rule.KeyHeads, rule.ValueSize, layer, keySide: false), values);
            }

            MlxArray attended = Attend(queries, keys, values, rule, sinks as MlxVector, lane);
            parts.Add(_ops.Reshape(_ops.Transpose(attended, 0, 2, 1, 3), rows, rule.Heads * rule.ValueSize));
        }

        return Tensor(scope, _ops.Concatenate(parts, 0), layout.Rows, rule.Heads * rule.ValueSize);
    }

    // Neighbouring lanes of one length and one parent that remember nothing run as one batch.
    private static IEnumerable<(int First, int Count)> Groups(IReadOnlyList<Lane> lanes)
    {
        for (int first = 0; first < lanes.Count;)
        {
            int count = 1;
            while (lanes[first].Memory is null && first + count < lanes.Count && lanes[first + count].Memory is null
                && lanes[first + count].Count == lanes[first].Count && lanes[first + count].Start == lanes[first].Start
                && ReferenceEquals(lanes[first + count].Parent, lanes[first].Parent))
            {
                count++;
            }

            yield return (first, count);
            first += count;
        }
    }

    // Rows of lanes as (lanes, heads, positions, size).
    private MlxArray Split(MlxArray heads, int firstRow, int lanes, int count, int headCount, int size) =>
        _ops.Transpose(_ops.Reshape(_ops.Slice(heads, 0, firstRow, lanes * count), lanes, count, headCount, size), 0, 2, 1, 3);

    // Keys or values of all positions before a lane: those of its ancestors in the batch, and of the memory that the first one extended.
    private MlxArray Before(Lane lane, MlxArray heads, int headCount, int size, int layer, bool keySide)
    {
        var parts = new List<MlxArray>();
        for (Lane? ancestor = lane.Parent; ancestor is not null; ancestor = ancestor.Parent)
        {
            parts.Add(ancestor.Memory?[layer].Engine is MlxMemory memory
                ? keySide ? memory.Keys : memory.Values
                : Split(heads, ancestor.FirstRow, 1, ancestor.Count, headCount, size));
        }

        parts.Reverse();
        return _ops.Concatenate(parts, 2);
    }

    private MlxArray After(MlxArray before, MlxArray own)
    {
        int[] shape = before.Shape;
        int lanes = own.Shape[0];
        return _ops.Concatenate([_ops.Broadcast(before, lanes, shape[1], shape[2], shape[3]), own], 2);
    }

    private MlxArray Attend(MlxArray q, MlxArray k, MlxArray v, AttentionRule rule, MlxVector? sinks, Lane lane)
    {
        var blocks = new List<MlxArray>();
        for (int first = 0; first < lane.Count; first += QueryBlock)
        {
            int count = Math.Min(QueryBlock, lane.Count - first);
            int position = lane.Start + first;
            int low = LowestKey(rule, position);
            int high = position + count;
            MlxArray keys = _ops.Slice(k, 2, low, high - low);
            MlxArray values = _ops.Slice(v, 2, low, high - low);
            MlxArray queries = _ops.Slice(q, 2, first, count);
            blocks.Add(rule.SoftCap > 0.0
                ? Capped(queries, keys, values, rule, Mask(rule, position, count, low, high), sinks)
                : Plain(queries, keys, values, rule, position, count, low, high, sinks));
        }

        return _ops.Concatenate(blocks, 2);
    }

    private MlxArray Plain(
        MlxArray q, MlxArray k, MlxArray v, AttentionRule rule, int position, int count, int low, int high, MlxVector? sinks)
    {
        bool causal = LowestKey(rule, high - 1) == low;
        return _ops.Attention(
            q, k, v, rule.Scale, causal ? "causal" : "array", causal ? MlxArray.None : Mask(rule, position, count, low, high),
            sinks?.Array ?? MlxArray.None);
    }

    private MlxArray Capped(MlxArray q, MlxArray k, MlxArray v, AttentionRule rule, MlxArray mask, MlxVector? sinks)
    {
        if (sinks is not null)
        {
            throw new UnsupportedModelException("Attention with a soft cap and sinks is not computed on MLX.");
        }

        int[] shape = q.Shape;
        int keys = k.Shape[2];
        int group = rule.Heads / rule.KeyHeads;
        MlxArray grouped = _ops.Reshape(q, shape[0], rule.KeyHeads, group * shape[2], rule.HeadSize);
        MlxArray scores = _ops.MatMul(_ops.Multiply(grouped, rule.Scale), _ops.Transpose(k, 0, 1, 3, 2));
        scores = _ops.Reshape(Capped(scores, rule.SoftCap), shape[0], rule.KeyHeads, group, shape[2], keys);
        scores = _ops.Where(mask, scores, _ops.Number(float.NegativeInfinity, scores.Type));
        MlxArray weights = _ops.Reshape(_ops.SoftMax(scores, 4), shape[0], rule.KeyHeads, group * shape[2], keys);
        return _ops.Reshape(_ops.MatMul(weights, v), shape[0], rule.Heads, shape[2], rule.ValueSize);
    }

    private static int LowestKey(AttentionRule rule, int position)
    {
        int lowest = rule.Window > 0 ? Math.Max(0, position - rule.Window + 1) : 0;
        return rule.Chunk > 0 ? Math.Max(lowest, position / rule.Chunk * rule.Chunk) : lowest;
    }

    // (queries, keys): true where a query sees a key.
    private MlxArray Mask(AttentionRule rule, int position, int count, int low, int high)
    {
        var name = (position, count, low, high, rule.Window, rule.Chunk);
        if (_masks.TryGetValue(name, out MlxArray? mask))
        {
            return mask;
        }

        int keys = high - low;
        var seen = new byte[count * keys];
        for (int i = 0; i < count; i++)
        {
            int from = LowestKey(rule, position + i) - low;
            seen.AsSpan((i * keys) + from, position + i + 1 - low - from).Fill(1);
        }

        if (_masks.Count >= 64)
        {
            ForgetMasks();
        }

        using MlxOperations.Scope scope = _ops.Begin();
        fixed (byte* data = seen)
        {
            mask = scope.Keep(_ops.New(data, MlxType.Bool, count, keys));
        }

        _masks.Add(name, mask);
        return mask;
    }

    private void ForgetMasks()
    {
        foreach (MlxArray mask in _masks.Values)
        {
            mask.Dispose();
        }

        _masks.Clear();
    }
}

/// <summary>Keys and values that a layer remembers on MLX, (1, heads, length, size).</summary>
internal sealed class MlxMemory(MlxOperations operations, MlxArray keys, MlxArray values) : IEngineMemory
{
    /// <summary>Appends new keys and values to those before <paramref name="start"/>, and gives all.</summary>
    public static (MlxArray Keys, MlxArray Values) Extend(MlxOperations operations, LayerMemory memory, int start, MlxArray keys, MlxArray values)
    {
        using MlxOperations.Scope scope = operations.Begin();
        if (start > 0 && memory.Engine is MlxMemory before)
        {
            keys = operations.Concatenate([operations.Slice(before.Keys, 2, 0, start), keys], 2);
            values = operations.Concatenate([operations.Slice(before.Values, 2, 0, start), values], 2);
        }

        var after = new MlxMemory(operations, scope.Keep(operations.Contiguous(keys)), scope.Keep(operations.Contiguous(values)));
        (memory.Engine as MlxMemory)?.Dispose();
        memory.Engine = after;
        return (after.Keys, after.Values);
    }

    /// <summary>The keys.</summary>
    public MlxArray Keys { get; } = keys;

    /// <summary>The values.</summary>
    public MlxArray Values { get; } = values;

    /// <inheritdoc/>
    public IEngineMemory Fork(int length)
    {
        using MlxOperations.Scope scope = operations.Begin();
        return new MlxMemory(
            operations, scope.Keep(operations.Slice(Keys, 2, 0, length)), scope.Keep(operations.Slice(Values, 2, 0, length)));
    }

    private void Dispose()
    {
        Keys.Dispose();
        Values.Dispose();
    }
}
