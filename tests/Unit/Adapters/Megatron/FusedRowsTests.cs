using Sway.Adapters.Megatron;

namespace Sway.Unit.Adapters.Megatron;

/// <summary>The ranges against the closed formulas of the row orders, written out one row at a time.</summary>
public sealed class FusedRowsTests
{
    [Theory]
    [InlineData(4, 2, 3, false)]
    [InlineData(4, 2, 3, true)]
    [InlineData(6, 1, 2, true)]
    [InlineData(5, 5, 4, false)]
    public void QkvFollowsTheGroups(int heads, int groups, int size, bool gate)
    {
        int h = heads / groups;
        int parts = gate ? (2 * h) + 2 : h + 2;
        int copies = gate ? 2 : 1;

        RowRange[][] split = FusedRows.Qkv(heads, groups, size, gate);

        Rows(split[0]).ShouldBe(
            from head in Enumerable.Range(0, heads)
            from c in Enumerable.Range(0, copies)
            from i in Enumerable.Range(0, size)
            select (long)((((head / h * parts) + (c * h) + (head % h)) * size) + i));
        Rows(split[1]).ShouldBe(Enumerable.Range(0, groups * size).Select(k => (long)(((((k / size) * parts) + parts - 2) * size) + (k % size))));
        Rows(split[2]).ShouldBe(Enumerable.Range(0, groups * size).Select(k => (long)(((((k / size) * parts) + parts - 1) * size) + (k % size))));
    }

    [Theory]
    [InlineData(24, 1)]
    [InlineData(24, 2)]
    [InlineData(48, 4)]
    public void GatedMagnitudesFollowTheRanks(int rows, int ranks)
    {
        int half = rows / 2;
        int f = half / ranks;

        RowRange[][] split = FusedRows.GatedByRank(rows, ranks);

        Rows(split[0]).ShouldBe(Enumerable.Range(0, half).Select(i => (long)((i / f * 2 * f) + (i % f))));
        Rows(split[1]).ShouldBe(Enumerable.Range(0, half).Select(i => (long)((i / f * 2 * f) + f + (i % f))));
    }

    [Theory]
    [InlineData(12, 2)]
    [InlineData(48, 4)]
    public void CanonicalHalvesUndoTheWritersPermutation(int rows, int ranks)
    {
        int s = rows / ranks;
        int h = s / 2;

        Rows(FusedRows.HalvesByRank(rows, ranks)).ShouldBe(
            Enumerable.Range(0, rows).Select(k => (long)((((k % s / h * ranks) + (k / s)) * h) + (k % h))));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void DeltaNetBlocksFollowTheRanks(int ranks)
    {
        var sizes = new DeltaNetSizes(KeySize: 3, ValueSize: 2, KeyHeads: 4, ValueHeads: 8);
        int qk = 3 * 4 / ranks;
        int v = 2 * 8 / ranks;
        int n = 8 / ranks;
        int block = (2 * qk) + (2 * v) + (2 * n);

        RowRange[][] split = FusedRows.DeltaNet(sizes, ranks);

        IEnumerable<long> Part(int count, int width, int offset) => Enumerable.Range(0, count).Select(i => (long)((i / width * block) + offset + (i % width)));
        Rows(split[0]).ShouldBe([.. Part(12, qk, 0), .. Part(12, qk, qk), .. Part(16, v, 2 * qk)]);
        Rows(split[1]).ShouldBe(Part(16, v, (2 * qk) + v));
        Rows(split[2]).ShouldBe(Part(8, n, (2 * qk) + (2 * v)));
        Rows(split[3]).ShouldBe(Part(8, n, (2 * qk) + (2 * v) + n));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void GroupedDeltaNetTakesTheSameRowsByKeyHead(int ranks)
    {
        var sizes = new DeltaNetSizes(KeySize: 3, ValueSize: 2, KeyHeads: 4, ValueHeads: 8);
        RowRange[][] separate = FusedRows.DeltaNet(sizes, ranks);
        long[] qkv = [.. Rows(separate[0])];
        long[] z = [.. Rows(separate[1])];
        long[] b = [.. Rows(separate[2])];
        long[] a = [.. Rows(separate[3])];

        RowRange[][] grouped = FusedRows.DeltaNetGrouped(sizes, ranks);

        Rows(grouped[0]).ShouldBe(Enumerable.Range(0, 4).SelectMany(g => (long[])
            [.. qkv[(3 * g)..(3 * (g + 1))], .. qkv[(12 + (3 * g))..(12 + (3 * (g + 1)))], .. qkv[(24 + (4 * g))..(24 + (4 * (g + 1)))], .. z[(4 * g)..(4 * (g + 1))]]));
        Rows(grouped[1]).ShouldBe(Enumerable.Range(0, 4).SelectMany(g => (long[])[.. b[(2 * g)..(2 * (g + 1))], .. a[(2 * g)..(2 * (g + 1))]]));
        Rows(grouped[0]).Concat(Rows(grouped[1])).Order().ShouldBe(Enumerable.Range(0, (int)sizes.Rows).Select(i => (long)i));
    }

    private static IEnumerable<long> Rows(RowRange[] ranges) =>
        ranges.SelectMany(range => Enumerable.Range(0, (int)range.Count).Select(i => range.Start + i));
}
