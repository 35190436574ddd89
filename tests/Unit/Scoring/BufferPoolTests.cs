using Sway.Inference.Cpu;
using Sway.Unit.Support;

namespace Sway.Unit.Scoring;

public sealed unsafe class BufferPoolTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Buffers_that_are_lent_never_overlap_and_keep_their_contents(bool reserve)
    {
        using var pool = new BufferPool(reserve);
        var random = new Random(11);
        var lent = new List<(BufferPool.Buffer Buffer, int Mark)>();
        for (int step = 0; step < 4000; step++)
        {
            if (lent.Count > 0 && random.Next(100) < 48)
            {
                int which = random.Next(lent.Count);
                Check(lent[which].Buffer, lent[which].Mark);
                pool.Return(lent[which].Buffer);
                lent.RemoveAt(which);
                continue;
            }

            BufferPool.Buffer buffer = pool.Rent(random.Next(100) < 5 ? random.Next(1, 3_000_000) : random.Next(1, 20_000));
            ((nint)buffer.Data % 64).ShouldBe(0);
            new Span<float>(buffer.Data, (int)buffer.Length).Fill(step);
            lent.Add((buffer, step));
        }

        lent.ForEach(entry => Check(entry.Buffer, entry.Mark));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_a_long_run_needed_is_given_back_after_a_short_one(bool reserve)
    {
        using var pool = new BufferPool(reserve);
        BufferPool.Buffer small = pool.Rent(1000);
        BufferPool.Buffer large = pool.Rent(30_000_000);
        pool.PeakBytes.ShouldBeInRange(120_004_000L, 120_005_000L);
        pool.Return(large);
        pool.Reclaim();
        pool.Bytes.ShouldBeGreaterThan(120_000_000L);

        // Taken back already: a second time changes nothing.
        pool.Return(small);
        pool.Rent(1000);
        pool.Reclaim();
        pool.Bytes.ShouldBeLessThan(20_000_000L);
    }

    [Fact]
    public void Memory_given_back_leaves_the_process()
    {
        Resident.SkipUnlessKnown();
        using var pool = new BufferPool();
        BufferPool.Buffer buffer = pool.Rent(10_000_000);
        new Span<float>(buffer.Data, 10_000_000).Fill(1f);
        Resident.Bytes(buffer.Data, 40_000_000L).ShouldBeGreaterThanOrEqualTo(40_000_000L);
        pool.Return(buffer);
        pool.Reclaim();
        pool.Return(pool.Rent(1));
        pool.Reclaim();
        Resident.Bytes(buffer.Data, 40_000_000L).ShouldBeLessThan(1_000_000L);
    }

    [Fact]
    public void What_is_lent_at_once_lies_together()
    {
        using var pool = new BufferPool();
        BufferPool.Buffer stream = pool.Rent(1_000_000);
        for (int layer = 0; layer < 50; layer++)
        {
            BufferPool.Buffer[] inner = [.. Enumerable.Range(1, 5).Select(i => pool.Rent((i * 300_000) + layer))];
            Array.ForEach(inner, pool.Return);
        }

        pool.Return(stream);
        pool.Bytes.ShouldBeLessThanOrEqualTo(pool.PeakBytes);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_buffer_grows_where_it_lies_until_it_meets_another(bool reserve)
    {
        using var pool = new BufferPool(reserve);
        BufferPool.Buffer first = pool.Rent(1000);
        BufferPool.Buffer second = pool.Rent(500);
        BufferPool.Buffer third = pool.Rent(500);
        new Span<float>(first.Data, 1000).Fill(1f);
        new Span<float>(third.Data, (int)third.Length).Fill(3f);
        pool.TryGrow(ref first, 1200).ShouldBeFalse();
        pool.Return(second);
        pool.TryGrow(ref first, 2000).ShouldBeFalse();
        long before = pool.PeakBytes;
        pool.TryGrow(ref first, 1200).ShouldBeTrue();
        first.Length.ShouldBe(1200L);
        pool.PeakBytes.ShouldBe(before);
        Check(new BufferPool.Buffer(first.Data, 1000), 1);
        new Span<float>(first.Data, 1200).Fill(2f);

        // What lies between is lent whole, what was grown is given back whole.
        pool.TryGrow(ref first, 1000 + second.Length).ShouldBeTrue();
        new Span<float>(first.Data, (int)first.Length).Fill(2f);
        Check(third, 3);
        pool.Return(first);
        ((nint)pool.Rent(1500).Data).ShouldBe((nint)first.Data);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_follows_smaller_keeps_what_is_lent_and_no_more_than_it_needs(bool reserve)
    {
        using var pool = new BufferPool(reserve);
        BufferPool.Buffer stream = pool.Rent(1_000_000);
        new Span<float>(stream.Data, 1_000_000).Fill(3f);
        pool.Return(pool.Rent(20_000_000));
        pool.Shrink(8_000_000);
        if (reserve && !OperatingSystem.IsWindows())
        {
            pool.Bytes.ShouldBe(12_000_000L);
        }

        BufferPool.Buffer logits = pool.Rent(2_000_000);
        new Span<float>(logits.Data, 2_000_000).Fill(4f);
        Check(stream, 3);
        pool.Return(logits);
        pool.Shrink(100_000_000);
        Check(stream, 3);
    }

    private static void Check(BufferPool.Buffer buffer, int mark) =>
        new ReadOnlySpan<float>(buffer.Data, (int)buffer.Length).IndexOfAnyExcept(mark).ShouldBe(-1);
}
