using System.Diagnostics;
using Sway.Inference.Cpu;
using Sway.Scoring;
using Sway.Tensors;

namespace Sway.Unit.Scoring;

public sealed class BatchTests
{
    private static ScoringSession Open(string model, string adapter, ScoringOptions? options = null) =>
        ScoringSession.Open(Golden.Folder(model), Path.Combine(Golden.Folder(model), "adapters", adapter), options);

    /// <summary>Items as tests have them: contexts with several endings, nested beginnings, twins, and texts that share nothing.</summary>
    private static TokenSequence[] Items(string model)
    {
        int[] ids = Golden.Ints(Golden.Read(model).GetProperty("sequences")[2]);
        var items = new List<TokenSequence>();
        for (int i = 0; i < 16; i++)
        {
            int[] context = ids[..(4 + (5 * (i % 3)))];
            int[] ending = [.. ids.Skip(10 + i).Take(1 + (i % 4))];
            items.Add(i switch
            {
                < 10 => new TokenSequence([.. context, .. ending], context.Length),
                10 => new TokenSequence(ids[..30], 1),
                11 => new TokenSequence(ids[..20], 7),
                12 => new TokenSequence(ids[..20], 7),
                13 => new TokenSequence(ids[..2], 1),
                _ => new TokenSequence(ids[i..(i + 25)], 3),
            });
        }

        return [.. items];
    }

    [Theory]
    [InlineData("llama-gqa", "all")]
    [InlineData("mistral-window", "all")]
    [InlineData("phi3-longrope", "all")]
    [InlineData("llama4-text", "all")]
    [InlineData("deepseek-v3", "all")]
    [InlineData("qwen3-moe", "experts")]
    [InlineData("qwen3-5-text", "all-linear")]
    [InlineData("lfm2", "all-linear")]
    public void Bits_do_not_depend_on_batches_threads_or_shared_beginnings(string model, string adapter)
    {
        if (!Directory.Exists(Path.Combine(Golden.Folder(model), "adapters", adapter)))
        {
            adapter = Path.GetFileName(Directory.GetDirectories(Path.Combine(Golden.Folder(model), "adapters")).Order(StringComparer.Ordinal).First());
        }

        TokenSequence[] items = Items(model);
        SequenceScore[]? first = null;
        foreach (int batch in (ReadOnlySpan<int>)[1, 3, 16])
        {
            foreach ((int threads, bool share) in (ReadOnlySpan<(int, bool)>)[(1, false), (2, true), (1, true)])
            {
                using ScoringSession session = Open(model, adapter, new ScoringOptions { Threads = threads, SharePrefixes = share, WaveTokens = 100_000 });
                session.Exclusive((decoder, _) => decoder.RowsTogether = share ? 40 : decoder.RowsTogether, CancellationToken.None);
                var scores = items.Chunk(batch).SelectMany(chunk => session.Score(chunk, divergence: true)).ToArray();
                first ??= scores;
                for (int i = 0; i < scores.Length; i++)
                {
                    scores[i].Base.LogProbs.ShouldBe(first[i].Base.LogProbs);
                    scores[i].Base.Ranks.ShouldBe(first[i].Base.Ranks);
                    scores[i].Adapted!.LogProbs.ShouldBe(first[i].Adapted!.LogProbs);
                    scores[i].Divergence!.AdaptedBase.ShouldBe(first[i].Divergence!.AdaptedBase);
                    scores[i].Divergence!.JensenShannon.ShouldBe(first[i].Divergence!.JensenShannon);
                }
            }
        }
    }

    [Fact]
    public void Common_beginnings_are_one_node_each()
    {
        TokenSequence[] items = [new([1, 2, 3, 4, 9], 4), new([1, 2, 3, 5, 9], 4), new([1, 2, 8], 2), new([1, 2, 3, 4, 7], 4), new([6, 2, 3], 1)];
        TokenTree tree = TokenTree.Make(items, share: true, _ => 0);
        tree.Tokens.ShouldBe(7);
        for (int i = 0; i < items.Length; i++)
        {
            for (int position = 0; position < items[i].Ids.Count - 1; position++)
            {
                int row = tree.Row(i, position);
                TokenTree.Node node = tree.Nodes.Last(n => n.FirstRow <= row);
                node.Tokens.Span[row - node.FirstRow].ShouldBe(items[i].Ids[position]);
                (node.Start + row - node.FirstRow).ShouldBe(position);
            }
        }

        tree.Row(0, 3).ShouldBe(tree.Row(3, 3));
        TokenTree.Make(items, share: false, _ => 0).Tokens.ShouldBe(16);
        TokenTree.Make(items, share: true, length => length).Tokens.ShouldBe(9);
    }

    [Fact]
    public void An_item_that_fails_leaves_the_others_and_the_order()
    {
        using ScoringSession session = Open("llama-gqa", "all");
        string[] items = ["good", "outside", "nothing", "no tokens", "good"];
        var progress = new Recorder();
        var results = session.ScoreItems(items, item => item switch
        {
            "good" => new TokenSequence([1, 5, 6], 1),
            "outside" => new TokenSequence([1, int.MaxValue], 1),
            "nothing" => null,
            _ => throw new TokenizationException("no tokens"),
        }, false, progress, TestContext.Current.CancellationToken).ToArray();
        results.Select(result => result.Item).ShouldBe(items);
        results.Select(result => result.Score is not null).ShouldBe([true, false, false, false, true]);
        results[1].Error.ShouldBeOfType<ScoringException>().Message.ShouldContain(int.MaxValue.ToString(System.Globalization.CultureInfo.InvariantCulture));
        results[2].Error.ShouldBeNull();
        results[3].Error.ShouldBeOfType<TokenizationException>();
        results[4].Score!.Base.LogProbs.ShouldBe(results[0].Score!.Base.LogProbs);
        progress.Values[^1].ShouldBe(6L);
        progress.Values.ShouldBeInOrder();
    }

    [Fact]
    public void Progress_goes_on_within_one_long_window()
    {
        using ScoringSession session = Open("llama-gqa", "all");
        int[] ids = Golden.Ints(Golden.Read("llama-gqa").GetProperty("sequences")[2]);
        var progress = new Recorder();

        _ = session.Score([new TokenSequence(ids, 1)], false, progress, TestContext.Current.CancellationToken).Single();

        progress.Values.Count.ShouldBeGreaterThan(session.Config.Int("num_hidden_layers"));
        progress.Values.ShouldBeInOrder();
        progress.Values[0].ShouldBeInRange(1, ids.Length - 1);
        progress.Values[^1].ShouldBe(ids.Length);
    }

    [Fact]
    public void Groups_keep_their_windows_and_short_ones_run_together()
    {
        using ScoringSession session = Open("llama-gqa", "all");
        int[] ids = Golden.Ints(Golden.Read("llama-gqa").GetProperty("sequences")[2]);
        int[] lengths = [0, 30, 1, 12];
        var groups = session.ScoreGroups(
            lengths, length => RollingWindows.Plan(RollingPreset.Full, ids[..length], null, 8), cancellationToken: TestContext.Current.CancellationToken).ToArray();
        groups.Select(group => group.Item).ShouldBe(lengths);
        groups.Select(group => group.Scores.Sum(score => score.Base.LogProbs.Length)).ShouldBe([0, 29, 0, 11]);
        groups.ShouldAllBe(group => group.Error == null);
    }

    [Fact]
    public void No_more_than_one_wave_is_read_ahead()
    {
        using ScoringSession session = Open("llama-gqa", "all", new ScoringOptions { WaveTokens = 64 });
        int read = 0;
        IEnumerable<TokenSequence> Endless()
        {
            while (true)
            {
                read++;
                yield return new TokenSequence([1, 2 + (read % 50), 3], 1);
            }
        }

        session.Score(Endless()).First().Base.LogProbs.Length.ShouldBe(2);
        read.ShouldBeLessThanOrEqualTo(65);
    }

    [Fact]
    public void A_cancelled_run_stops_in_the_middle_and_the_session_goes_on()
    {
        using ScoringSession session = Open("llama-gqa", "all");
        int[] ids = Golden.Ints(Golden.Read("llama-gqa").GetProperty("sequences")[2]);
        SequenceScore before = session.Score(new TokenSequence(ids, 1));
        using var stop = new CancellationTokenSource();
        int given = 0;
        IEnumerable<TokenSequence> source = Enumerable.Range(0, 1_000_000).Select(_ => new TokenSequence(ids, 1));
        Should.Throw<OperationCanceledException>(() =>
        {
            foreach (SequenceScore score in session.Score(source, cancellationToken: stop.Token))
            {
                given++;
                stop.Cancel();
            }
        });
        given.ShouldBeLessThan(100_000);
        session.Score(new TokenSequence(ids, 1), cancellationToken: TestContext.Current.CancellationToken).Base.LogProbs.ShouldBe(before.Base.LogProbs);
    }

    [Fact]
    public unsafe void A_large_product_stops_within_a_tenth_of_a_second()
    {
        // About 5 * 10^11 operations: a second on the fastest machine. The best of some attempts counts, for machines that do other things too.
        using var pool = new BufferPool();
        using var workers = new WorkerPool(2);
        const int Rows = 2048, Depth = 8192, Outputs = 16_384;
        BufferPool.Buffer x = pool.Rent(Rows * Depth);
        new Span<float>(x.Data, Rows * Depth).Clear();
        BufferPool.Buffer result = pool.Rent((long)Rows * Outputs);
        using PackedRows rows = PackedRows.Create(pool, workers, x.Data, Depth, Rows, Depth);
        double best = double.MaxValue;
        for (int attempt = 0; attempt < 5 && best > 100.0; attempt++)
        {
            using var stop = new CancellationTokenSource();
            long asked = 0;
            workers.Cancellation = stop.Token;
            var timer = new Thread(() =>
            {
                Thread.Sleep(150);
                Volatile.Write(ref asked, Stopwatch.GetTimestamp());
                stop.Cancel();
            });
            timer.Start();
            Should.Throw<OperationCanceledException>(() => MatrixProduct.Run(workers, rows, new Repeated(Outputs, Depth), result.Data, Outputs, add: false));
            best = Math.Min(best, Stopwatch.GetElapsedTime(Volatile.Read(ref asked)).TotalMilliseconds);
            timer.Join();
        }

        best.ShouldBeLessThan(100.0);
    }

    private sealed class Recorder : IProgress<long>
    {
        public List<long> Values { get; } = [];

        public void Report(long value) => Values.Add(value);
    }

    /// <summary>A matrix of ones without the memory of one.</summary>
    private sealed unsafe class Repeated(int outputs, int inputs) : PanelSource(outputs, inputs)
    {
        public override void Pack(int output, int valid, int columns, int input, int depth, float* destination) =>
            new Span<float>(destination, depth * columns).Fill(1f);

        public override void ReadRow(int output, Span<float> destination) => destination.Fill(1f);
    }
}
