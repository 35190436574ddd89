using System.Numerics.Tensors;

namespace Sway.Inference.Cpu;

/// <summary>
/// Softmax attention of one unit. Scores, weights and sums of a query run over its own keys in ascending absolute position, in blocks
/// anchored at multiples of <see cref="KeyBlock"/>, so their bits do not depend on what else is in the batch or in a cache.
/// </summary>
internal readonly unsafe struct AttentionTask(
    AttentionUnit unit, HeadView query, HeadView key, HeadView value, AttentionRule rule, float[]? sinks, int layer, CpuTensor result)
{
    // Keys of one chain of a sum; also the longest chain of a head's own products.
    private const int KeyBlock = 256;

    // Query rows (positions times grouped heads) that share one pass over the keys.
    private const int RowsAtOnce = 48;

    /// <summary>Computes the unit's part of the result.</summary>
    public void Run()
    {
        var kernel = GemmKernel.Best;
        var lane = unit.Lane;
        var group = rule.Heads / rule.KeyHeads;
        var firstPosition = lane.Start + unit.First;
        var end = firstPosition + unit.Count;
        var low = LowestKey(firstPosition) / KeyBlock * KeyBlock;
        var keys = end - low;
        var panels = (keys + kernel.Columns - 1) / kernel.Columns;
        var valuePanels = (rule.ValueSize + kernel.Columns - 1) / kernel.Columns;
        var positions = Math.Max(1, RowsAtOnce / group);
        var rows = positions * group;
        var paddedRows = rows + kernel.TileRows;
        long keyPanels = (long)panels * kernel.Columns * rule.HeadSize;
        long valueSize = (long)valuePanels * kernel.Columns * keys;
        long scoreSize = (long)paddedRows * panels * kernel.Columns;
        var plain = (long)keys * Math.Max(rule.HeadSize, rule.ValueSize);
        var depth = Math.Max(rule.HeadSize, KeyBlock);
        var packedSize = (long)paddedRows * depth;
        var outSize = (long)paddedRows * valuePanels * kernel.Columns;
        var scratch = AlignedScratch.Work(keyPanels + valueSize + scoreSize + plain + packedSize + outSize + ((long)rows * rule.HeadSize) + 64);
        var k = scratch;
        var v = k + keyPanels;
        var scores = v + valueSize;
        var packed = scores + scoreSize;
        var outputs = packed + packedSize;
        var queries = outputs + outSize;
        var copy = queries + (rows * rule.HeadSize);
        PackKeys(kernel, k, copy, low, keys);
        PackValues(kernel, v, copy, valuePanels, low, keys);
        for (var first = 0; first < unit.Count; first += positions)
        {
            var count = Math.Min(positions, unit.Count - first);
            Block(kernel, unit.First + first, count, group, low, k, v, valuePanels, scores, (nint)panels * kernel.Columns, packed, outputs, queries, keys);
        }
    }

    private int LowestKey(int position)
    {
        var lowest = 0;
        if (rule.Window > 0)
        {
            lowest = Math.Max(lowest, position - rule.Window + 1);
        }

        return rule.Chunk > 0 ? Math.Max(lowest, position / rule.Chunk * rule.Chunk) : lowest;
    }

    private void Block(
        GemmKernel kernel, int first, int count, int group, int low, float* k, float* v, int valuePanels, float* scores, nint stride,
        float* packed, float* outputs, float* queries, int keys)
    {
        var lane = unit.Lane;
        var rows = count * group;
        var source = (CpuTensor)query.Tensor;
        for (var r = 0; r < rows; r++)
        {
            var head = (unit.KeyHead * group) + (r % group);
            var from = source.Row(lane.FirstRow + first + (r / group)) + query.Offset + (head * query.Stride);
            new Span<float>(from, rule.HeadSize).CopyTo(new Span<float>(queries + (r * rule.HeadSize), rule.HeadSize));
        }

        var position = lane.Start + first;
        var blockLow = LowestKey(position) / KeyBlock * KeyBlock;
        var end = position + count;
        var firstPanel = (blockLow - low) / kernel.Columns;
        var lastPanel = (end - low + kernel.Columns - 1) / kernel.Columns;
        for (var tile = 0; tile < rows; tile += kernel.TileRows)
        {
            var tileRows = Math.Min(kernel.TileRows, rows - tile);
            var height = kernel.PackedRows(tileRows);
            for (var d = 0; d < rule.HeadSize; d += KeyBlock)
            {
                var depth = Math.Min(KeyBlock, rule.HeadSize - d);
                RowInterleave.Run(queries + (tile * rule.HeadSize) + d, rule.HeadSize, tileRows, height, depth, packed);
                for (var panel = firstPanel; panel < lastPanel; panel++)
                {
                    var b = k + ((nint)panel * kernel.Columns * rule.HeadSize) + (d * kernel.Columns);
                    kernel.Multiply(height, packed, b, depth, scores + (tile * stride) + (panel * kernel.Columns), stride, d > 0);
                }
            }
        }

        var inverses = stackalloc float[rows];
        for (var r = 0; r < rows; r++)
        {
            inverses[r] = Softmax(scores + (r * stride) - low, position + (r / group), blockLow, low + (lastPanel * kernel.Columns), (unit.KeyHead * group) + (r % group));
        }

        for (var tile = 0; tile < rows; tile += kernel.TileRows)
        {
            var tileRows = Math.Min(kernel.TileRows, rows - tile);
            var height = kernel.PackedRows(tileRows);
            for (var at = blockLow; at < end; at += KeyBlock)
            {
                var depth = Math.Min(KeyBlock, end - at);
                RowInterleave.Run(scores + (tile * stride) + (at - low), stride, tileRows, height, depth, packed);
                for (var panel = 0; panel < valuePanels; panel++)
                {
                    var b = v + ((nint)panel * keys * kernel.Columns) + ((nint)(at - low) * kernel.Columns);
                    kernel.Multiply(
                        height, packed, b, depth, outputs + (panel * kernel.Columns), (nint)valuePanels * kernel.Columns, at > blockLow);
                }
            }

            for (var r = 0; r < tileRows; r++)
            {
                var head = (unit.KeyHead * group) + ((tile + r) % group);
                var to = result.Row(lane.FirstRow + first + ((tile + r) / group)) + (head * rule.ValueSize);
                var sums = new Span<float>(outputs + ((nint)r * valuePanels * kernel.Columns), rule.ValueSize);
                TensorPrimitives.Multiply(sums, inverses[tile + r], new Span<float>(to, rule.ValueSize));
            }
        }
    }

    // scores is indexed by absolute key position; what the query does not see becomes exactly zero, the others e^(score - greatest).
    // Returns what the sums of values are to be multiplied with: one over the sum.
    private float Softmax(float* scores, int position, int from, int to, int head)
    {
        var lowest = LowestKey(position);
        var count = position + 1 - lowest;
        var max = SoftmaxRow.Scale(scores + lowest, count, (float)rule.Scale);
        if (rule.SoftCap > 0.0)
        {
            Functions.SoftCap(scores + lowest, count, rule.SoftCap);
            max = SoftmaxRow.Max(scores + lowest, count);
        }

        if (sinks is not null)
        {
            max = Math.Max(max, sinks[head]);
        }

        var sum = SoftmaxRow.Exponentiate(scores + lowest, count, max);
        if (sinks is not null)
        {
            sum += Math.Exp((double)sinks[head] - max);
        }

        new Span<float>(scores + from, lowest - from).Clear();
        new Span<float>(scores + position + 1, to - position - 1).Clear();
        return (float)(1.0 / sum);
    }

    private void PackKeys(GemmKernel kernel, float* panels, float* copy, int low, int keys)
    {
        ReadAll(key, low, keys, keySide: true, copy);
        for (var j = 0; j < keys; j += kernel.Columns)
        {
            WordPanel.Fill<SingleWords>(
                (byte*)(copy + ((nint)j * rule.HeadSize)), (nint)rule.HeadSize * sizeof(float), Math.Min(kernel.Columns, keys - j),
                kernel.Columns, rule.HeadSize, panels + ((nint)j * rule.HeadSize));
        }
    }

    private void PackValues(GemmKernel kernel, float* panels, float* copy, int valuePanels, int low, int keys)
    {
        ReadAll(value, low, keys, keySide: false, copy);
        for (var panel = 0; panel < valuePanels; panel++)
        {
            var count = Math.Min(kernel.Columns, rule.ValueSize - (panel * kernel.Columns));
            var to = panels + ((nint)panel * keys * kernel.Columns);
            var from = copy + (panel * kernel.Columns);
            for (var i = 0; i < keys; i++, to += kernel.Columns, from += rule.ValueSize)
            {
                new ReadOnlySpan<float>(from, count).CopyTo(new Span<float>(to, count));
                new Span<float>(to + count, kernel.Columns - count).Clear();
            }
        }
    }

    // Rows of absolute positions low ... low+count-1 side by side: those of the lane, of its ancestors in the batch, of a memory.
    private void ReadAll(HeadView heads, int low, int count, bool keySide, float* destination)
    {
        var size = keySide ? rule.HeadSize : rule.ValueSize;
        var end = low + count;
        for (var lane = unit.Lane; lane is not null && end > low; lane = lane.Parent)
        {
            var from = Math.Max(low, lane.Start);
            for (var position = from; position < end; position++)
            {
                var row = ((CpuTensor)heads.Tensor).Row(lane.FirstRow + position - lane.Start) + heads.Offset + (unit.KeyHead * heads.Stride);
                new ReadOnlySpan<float>(row, size).CopyTo(new Span<float>(destination + ((nint)(position - low) * size), size));
            }

            end = Math.Min(end, from);
        }

        if (end <= low)
        {
            return;
        }

        var memory = unit.Lane.Root.Memory![layer];
        var (source, width) = keySide ? (memory.Keys, memory.KeyWidth) : (memory.Values, memory.ValueWidth);
        for (var position = low; position < end; position++)
        {
            source.AsSpan((position * width) + (unit.KeyHead * size), size)
                .CopyTo(new Span<float>(destination + ((nint)(position - low) * size), size));
        }
    }
}
