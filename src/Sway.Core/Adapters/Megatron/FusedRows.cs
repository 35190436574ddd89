using Sway.Tensors;

namespace Sway.Adapters.Megatron;

/// <summary>Consecutive rows.</summary>
internal readonly record struct RowRange(long Start, long Count);

/// <summary>
/// Where the rows of Hugging Face layers lie among the output rows of a Megatron layer as it is on disk. Each list of
/// ranges gives the rows of one layer in its own order. The orders are those of megatron-core's layers and of its
/// sharded state (transformer/attention.py, transformer/mlp.py, ssm/gated_delta_net.py).
/// </summary>
internal static class FusedRows
{
    /// <summary>Gate and up of a gated linear_fc1: saved as all gate rows, then all up rows, whatever the parallelism.</summary>
    public static RowRange[][] Gated(long rows) => [[new(0, rows / 2)], [new(rows / 2, rows / 2)]];

    /// <summary>Gate and up where each tensor-parallel rank's rows stay together: [gate_0, up_0, gate_1, up_1, ...].</summary>
    public static RowRange[][] GatedByRank(long rows, long ranks)
    {
        long part = rows / 2 / ranks;
        return [[.. Ranks(ranks, rank => new(rank * 2 * part, part))], [.. Ranks(ranks, rank => new((rank * 2 * part) + part, part))]];
    }

    /// <summary>One half of a gated layer that was saved as if it were both: each rank's rows were cut in two, and all
    /// first halves precede all second halves.</summary>
    public static RowRange[] HalvesByRank(long rows, long ranks)
    {
        long half = rows / ranks / 2;
        return [.. Ranks(2 * ranks, i => new((((i % 2) * ranks) + (i / 2)) * half, half))];
    }

    /// <summary>Queries, keys and values of linear_qkv, which is laid out by query group: the group's queries (then its
    /// output gates), its key, its value.</summary>
    public static RowRange[][] Qkv(long heads, long groups, long headSize, bool outputGate)
    {
        long perGroup = heads / groups;
        long parts = (outputGate ? 2 * perGroup : perGroup) + 2;
        List<RowRange> queries = [];
        for (long head = 0; head < heads; head++)
        {
            long unit = (head / perGroup * parts) + (head % perGroup);
            queries.Add(new(unit * headSize, headSize));
            if (outputGate)
            {
                queries.Add(new((unit + perGroup) * headSize, headSize));
            }
        }

        return
        [
            Joined(queries),
            [.. Ranks(groups, group => new(((group * parts) + parts - 2) * headSize, headSize))],
            [.. Ranks(groups, group => new(((group * parts) + parts - 1) * headSize, headSize))],
        ];
    }

    /// <summary>The rows of a gated delta net's in_proj: for each rank of the saving run a block of q, k, v, z, b, a.</summary>
    /// <returns>The rows of in_proj_qkv, in_proj_z, in_proj_b, in_proj_a.</returns>
    public static RowRange[][] DeltaNet(DeltaNetSizes sizes, long ranks)
    {
        RowRange[][] parts = DeltaNetParts(sizes, ranks);
        return [Joined([.. parts[0], .. parts[1], .. parts[2]]), parts[3], parts[4], parts[5]];
    }

    /// <summary>As <see cref="DeltaNet"/>, for models whose two layers are ordered by key head.</summary>
    /// <returns>The rows of in_proj_qkvz and in_proj_ba.</returns>
    public static RowRange[][] DeltaNetGrouped(DeltaNetSizes sizes, long ranks)
    {
        RowRange[][] parts = DeltaNetParts(sizes, ranks);
        long valuesPerKey = sizes.ValueHeads / sizes.KeyHeads;
        long[] widths = [sizes.KeySize, sizes.KeySize, valuesPerKey * sizes.ValueSize, valuesPerKey * sizes.ValueSize, valuesPerKey, valuesPerKey];
        List<RowRange> qkvz = [];
        List<RowRange> ba = [];
        for (long head = 0; head < sizes.KeyHeads; head++)
        {
            for (int part = 0; part < parts.Length; part++)
            {
                (part < 4 ? qkvz : ba).AddRange(Section(parts[part], head * widths[part], widths[part]));
            }
        }

        return [Joined(qkvz), Joined(ba)];
    }

    /// <summary>Takes the rows of one layer out of the fused tensor: axis 0 of <paramref name="fused"/>.</summary>
    public static TensorExpression Take(TensorExpression fused, RowRange[] rows) =>
        TensorExpression.Concatenate(0, [.. rows.Select(range => fused.Slice(0, range.Start, range.Count))]);

    private static RowRange[][] DeltaNetParts(DeltaNetSizes sizes, long ranks)
    {
        long keys = sizes.KeySize * sizes.KeyHeads / ranks;
        long values = sizes.ValueSize * sizes.ValueHeads / ranks;
        long heads = sizes.ValueHeads / ranks;
        long[] widths = [keys, keys, values, values, heads, heads];
        long block = widths.Sum();
        var parts = new RowRange[widths.Length][];
        long start = 0;
        for (int i = 0; i < widths.Length; i++)
        {
            long offset = start;
            long width = widths[i];
            parts[i] = Joined([.. Ranks(ranks, rank => new((rank * block) + offset, width))]);
            start += width;
        }

        return parts;
    }

    // Rows [start, start + count) of a layer given as ranges.
    private static IEnumerable<RowRange> Section(RowRange[] rows, long start, long count)
    {
        long origin = 0;
        foreach (RowRange range in rows)
        {
            long from = Math.Max(start, origin);
            long to = Math.Min(start + count, origin + range.Count);
            if (from < to)
            {
                yield return new(range.Start + from - origin, to - from);
            }

            origin += range.Count;
        }
    }

    private static RowRange[] Joined(IReadOnlyList<RowRange> rows)
    {
        List<RowRange> joined = [];
        foreach (RowRange range in rows)
        {
            if (joined.Count > 0 && joined[^1].Start + joined[^1].Count == range.Start)
            {
                joined[^1] = new(joined[^1].Start, joined[^1].Count + range.Count);
            }
            else
            {
                joined.Add(range);
            }
        }

        return [.. joined];
    }

    private static IEnumerable<RowRange> Ranks(long count, Func<long, RowRange> range)
    {
        for (long i = 0; i < count; i++)
        {
            yield return range(i);
        }
    }
}

/// <summary>The sizes of a gated delta net layer.</summary>
/// <param name="KeySize">Width of a key head.</param>
/// <param name="ValueSize">Width of a value head.</param>
/// <param name="KeyHeads">Number of key heads.</param>
/// <param name="ValueHeads">Number of value heads, a multiple of the key heads.</param>
internal sealed record DeltaNetSizes(long KeySize, long ValueSize, long KeyHeads, long ValueHeads)
{
    /// <summary>The rows of in_proj.</summary>
    public long Rows => checked((2 * KeySize * KeyHeads) + (2 * ValueSize * ValueHeads) + (2 * ValueHeads));
}
