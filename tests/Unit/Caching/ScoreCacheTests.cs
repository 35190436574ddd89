using System.Diagnostics;
using System.Text.Json;
using Sway.Adapters;
using Sway.Caching;
using Sway.Scoring;
using Sway.Unit.Scoring;
using Sway.Unit.Support;

namespace Sway.Unit.Caching;

public sealed class ScoreCacheTests : IDisposable
{
    private const string Model = "llama-gqa";

    private readonly TemporaryFolder _folder = new();
    private readonly CacheStore _store;

    public ScoreCacheTests()
    {
        _store = new CacheStore(new CacheSettings { Directory = _folder.File("cache") });
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_second_run_of_200_items_takes_no_forward_pass_and_gives_the_same_bits()
    {
        TokenSequence[] items = Items(200);
        SequenceScore[] first;
        using (ScoringSession session = Open())
        {
            first = [.. session.Score(items, divergence: true)];
            session.Statistics.CacheMisses.ShouldBe(200);
            session.Statistics.ForwardPasses.ShouldBeGreaterThan(0);
            session.Statistics.Tokens.ShouldBeGreaterThan(0);
        }

        using ScoringSession again = Open();
        SequenceScore[] second = [.. again.Score(items, divergence: true)];
        again.Statistics.ForwardPasses.ShouldBe(0);
        again.Statistics.Tokens.ShouldBe(0);
        again.Statistics.CacheHits.ShouldBe(200);
        JsonSerializer.Serialize(second).ShouldBe(JsonSerializer.Serialize(first));
        using var alone = ScoringSession.Open(Golden.Folder(Model), AdapterPath("all"));
        JsonSerializer.Serialize(alone.Score(items, divergence: true)).ShouldBe(JsonSerializer.Serialize(first));
    }

    [Fact]
    public void Part_of_a_batch_comes_from_the_cache_and_the_order_stays()
    {
        TokenSequence[] items = Items(20);
        using ScoringSession session = Open();
        SequenceScore[] some = [.. session.Score(items.Where((_, i) => i % 3 == 0))];
        SequenceScore[] all = [.. session.Score(items)];
        session.Statistics.CacheHits.ShouldBe(some.Length);
        session.Statistics.CacheMisses.ShouldBe(20);
        JsonSerializer.Serialize(all.Where((_, i) => i % 3 == 0)).ShouldBe(JsonSerializer.Serialize(some));
    }

    [Fact]
    public void Whatever_decides_a_score_is_part_of_the_key()
    {
        var item = new TokenSequence([1, 5, 9, 7], 2);
        Misses(item).ShouldBe(1);
        Misses(item).ShouldBe(0);
        Misses(item with { FirstScored = 3 }).ShouldBe(1);
        Misses(new TokenSequence([1, 5, 9, 8], 2)).ShouldBe(1);
        Misses(item, divergence: true).ShouldBe(1);
        Misses(item, adapter: "dora").ShouldBe(1);
        Misses(item, adapter: null).ShouldBe(1);
        Misses(item, strength: 0.5).ShouldBe(1);
        Misses(item, strength: BitConverter.Int64BitsToDouble(BitConverter.DoubleToInt64Bits(0.5) + 1)).ShouldBe(1);
        Misses(item, adapter: null, strength: 0.5).ShouldBe(0);
        Misses(item, model: "qwen3", adapter: null).ShouldBe(1);
    }

    [Fact]
    public void An_adapter_that_was_opened_with_another_scaling_is_another_adapter()
    {
        var item = new TokenSequence([1, 5, 9, 7], 1);
        using ScoringSession session = Open();
        SequenceScore before = session.Score(item);
        using LoraAdapter opened = AdapterReader.Open(AdapterPath("all"));
        session.Attach(new LoraAdapter([])
        {
            Path = opened.Path,
            Format = opened.Format,
            Method = opened.Method,
            Modules = [.. opened.Modules.Select(module => module with { Scaling = 2.0 * module.Scaling })],
            Extras = opened.Extras,
            Obstacles = opened.Obstacles,
            Config = opened.Config,
            Files = opened.Files,
        });
        session.Score(item).Adapted!.LogProbs.ShouldNotBe(before.Adapted!.LogProbs);
        session.Statistics.CacheHits.ShouldBe(0);
    }

    [Fact]
    public void Several_adapters_in_turns_share_the_work_of_the_base_and_give_the_same_bits()
    {
        TokenSequence[] items = Items(12);
        using var session = ScoringSession.Open(Golden.Folder(Model));
        string[] adapters = ["all", "dora", "patterns"];
        for (int round = 0; round < 2; round++)
        {
            foreach (string adapter in adapters)
            {
                session.Attach(AdapterPath(adapter));
                using var alone = ScoringSession.Open(Golden.Folder(Model), AdapterPath(adapter));
                JsonSerializer.Serialize(session.Score(items)).ShouldBe(JsonSerializer.Serialize(alone.Score(items)));
                JsonSerializer.Serialize(session.Score(items, divergence: true)).ShouldBe(JsonSerializer.Serialize(alone.Score(items, divergence: true)));
            }
        }
    }

    [Fact]
    public void An_adapter_that_changes_on_disk_is_read_again()
    {
        string adapter = _folder.File("adapter");
        Directory.CreateDirectory(adapter);
        foreach (string file in Directory.EnumerateFiles(AdapterPath("all")))
        {
            File.Copy(file, Path.Combine(adapter, Path.GetFileName(file)));
        }

        var item = new TokenSequence([1, 5, 9, 7], 1);
        using var session = ScoringSession.Open(Golden.Folder(Model), adapter);
        SequenceScore before = session.Score(item);
        string weights = Path.Combine(adapter, "adapter_model.safetensors");
        byte[] bytes = File.ReadAllBytes(weights);
        bytes[^2] ^= 0x01;
        File.WriteAllBytes(weights, bytes);
        session.Attach(adapter);
        session.Score(item).Adapted!.LogProbs.ShouldNotBe(before.Adapted!.LogProbs);
        session.Score(item).Base.LogProbs.ShouldBe(before.Base.LogProbs);
    }

    [Fact]
    public void A_model_of_the_same_name_with_other_weights_is_another_model()
    {
        string model = CopyModel();
        var item = new TokenSequence([1, 5, 9, 7], 1);
        SequenceScore before;
        using (var session = ScoringSession.Open(model, null, new ScoringOptions { Cache = _store }))
        {
            before = session.Score(item);
        }

        // The same length and, as archives restore it, the same time.
        string weights = Path.Combine(model, "model.safetensors");
        DateTime time = File.GetLastWriteTimeUtc(weights);
        byte[] bytes = File.ReadAllBytes(weights);
        bytes[^2] ^= 0x01;
        File.WriteAllBytes(weights, bytes);
        File.SetLastWriteTimeUtc(weights, time);
        using var changed = ScoringSession.Open(model, null, new ScoringOptions { Cache = _store });
        SequenceScore after = changed.Score(item);
        changed.Statistics.CacheHits.ShouldBe(0);
        after.Base.LogProbs.ShouldNotBe(before.Base.LogProbs);
    }

    [Fact]
    public void A_damaged_record_is_computed_again()
    {
        var item = new TokenSequence([1, 5, 9, 7], 1);
        SequenceScore first;
        using (ScoringSession session = Open())
        {
            first = session.Score(item);
        }

        string record = Directory.EnumerateFiles(_store.Scores, "*", SearchOption.AllDirectories)
            .Single(file => Path.GetFileName(file) != ScoreOrigin.FileName);
        byte[] good = File.ReadAllBytes(record);
        for (int i = 0; i < good.Length; i += 7)
        {
            byte[] bad = [.. good];
            bad[i] ^= 0x10;
            File.WriteAllBytes(record, bad);
            SealedRecord.Read(record).ShouldBeNull();
            File.WriteAllBytes(record, good[..i]);
            SealedRecord.Read(record).ShouldBeNull();
        }

        var manager = new CacheManager(_store);
        manager.Verify(manager.List().ShouldHaveSingleItem()).State.ShouldBe(CacheEntryState.Damaged);
        using ScoringSession again = Open();
        again.Score(item).Base.LogProbs.ShouldBe(first.Base.LogProbs);
        again.Statistics.CacheMisses.ShouldBe(1);
        File.ReadAllBytes(record).ShouldBe(good);
    }

    [Fact]
    public void Next_tokens_are_kept_for_each_k()
    {
        using ScoringSession session = Open();
        NextTokenDistribution first = NextToken.Predict(session, [1, 5, 9], 4);
        NextTokenDistribution second = NextToken.Predict(session, [1, 5, 9], 4);
        session.Statistics.ForwardPasses.ShouldBe(1);
        JsonSerializer.Serialize(second).ShouldBe(JsonSerializer.Serialize(first));
        NextToken.Predict(session, [1, 5, 9], 5).Base.Ids.Length.ShouldBe(5);
        session.Statistics.ForwardPasses.ShouldBe(2);
    }

    [Fact]
    public void A_cache_that_cannot_be_written_costs_no_result()
    {
        string file = _folder.File("not-a-folder");
        File.WriteAllText(file, "");
        var store = new CacheStore(new CacheSettings { Directory = file });
        using var session = ScoringSession.Open(Golden.Folder(Model), AdapterPath("all"), new ScoringOptions { Cache = store });
        session.Score(Items(3)).Count().ShouldBe(3);
    }

    [Fact]
    public void The_trace_has_a_line_for_each_item_and_a_summary()
    {
        string trace = _folder.File("trace.jsonl");
        TokenSequence[] items = Items(5);
        for (int run = 0; run < 2; run++)
        {
            using var session = ScoringSession.Open(
                Golden.Folder(Model), AdapterPath("all"), new ScoringOptions { Cache = _store, TracePath = trace });
            session.Score(items).Count().ShouldBe(5);
        }

        JsonElement[] lines = [.. File.ReadLines(trace).Select(line => JsonDocument.Parse(line).RootElement)];
        lines.Length.ShouldBe(12);
        lines.Take(5).ShouldAllBe(line => !line.GetProperty("cacheHit").GetBoolean() && line.GetProperty("operation").GetString() == "score");
        lines.Skip(6).Take(5).ShouldAllBe(line => line.GetProperty("cacheHit").GetBoolean());
        lines[0].GetProperty("promptHash").GetString().ShouldBe(lines[6].GetProperty("promptHash").GetString());
        lines[0].GetProperty("views").EnumerateArray().Select(view => view.GetString()).ShouldBe(["Base", "Adapted"]);
        lines[0].GetProperty("tokens").GetInt32().ShouldBe(items[0].Ids.Count);
        lines[5].GetProperty("event").GetString().ShouldBe("summary");
        lines[5].GetProperty("cacheMisses").GetInt32().ShouldBe(5);
        lines[11].GetProperty("cacheHits").GetInt32().ShouldBe(5);
        lines[11].GetProperty("forwardPasses").GetInt32().ShouldBe(0);
    }

    [Fact]
    public void A_folder_without_a_record_is_no_entry()
    {
        string folder = Path.Combine(_store.Scores, new string('a', 64));
        Directory.CreateDirectory(folder);
        new CacheManager(_store).List().ShouldBeEmpty();
        File.WriteAllText(Path.Combine(folder, "record"), "x");
        new CacheManager(_store).List().ShouldHaveSingleItem();
    }

    [Fact]
    public void Killed_at_random_moments_it_leaves_no_wrong_or_partial_record()
    {
        var random = new Random(9);
        string input = _folder.File("items.jsonl");
        File.WriteAllLines(input, Items(60).Select((item, i) =>
            $$"""{"id":"{{i}}","promptIds":[{{string.Join(',', item.Ids.Take(item.FirstScored))}}],"completionIds":[{{string.Join(',', item.Ids.Skip(item.FirstScored))}}]}"""));
        string[] arguments = ["score", "--model", Golden.Folder(Model), "--adapter", AdapterPath("all"), "--input", input, "--json"];
        long started = Stopwatch.GetTimestamp();
        (int code, string truth, string error) = SwayProcess.Run(_store.Root, [.. arguments, "--no-cache"]);
        TimeSpan whole = Stopwatch.GetElapsedTime(started);
        code.ShouldBe(0, error);
        new CacheManager(_store).List().ShouldBeEmpty();
        int killed = 0;
        for (int i = 0; i < 25; i++)
        {
            TimeSpan? took = SwayProcess.RunUntil(_store.Root, whole * (0.3 + (0.7 * random.NextDouble())), arguments);
            killed += took is null ? 1 : 0;

            // The first run may have been a slow one; a quicker one says when to come.
            whole = took < whole ? took.Value : whole;
            var manager = new CacheManager(_store);
            manager.List().ShouldAllBe(entry => manager.Verify(entry, CancellationToken.None).State == CacheEntryState.Ok);
            if (i % 8 == 7)
            {
                // Begin again with nothing, so that later moments interrupt writing too.
                manager.List().ToList().ForEach(manager.Remove);
            }
        }

        killed.ShouldBeGreaterThan(5);
        SwayProcess.Run(_store.Root, arguments).Output.ShouldBe(truth);
        SwayProcess.Run(_store.Root, arguments).Output.ShouldBe(truth);
    }

    private static string AdapterPath(string name) => Path.Combine(Golden.Folder(Model), "adapters", name);

    private static TokenSequence[] Items(int count)
    {
        int[] ids = Golden.Ints(Golden.Read(Model).GetProperty("sequences")[2]);
        return [.. Enumerable.Range(0, count).Select(i =>
            new TokenSequence([.. ids.Skip(i % 7).Take(6 + (i % 11)), 2 + (i % 13), 3 + (i / 13)], 1 + (i % 5)))];
    }

    private ScoringSession Open() =>
        ScoringSession.Open(Golden.Folder(Model), AdapterPath("all"), new ScoringOptions { Cache = _store });

    private long Misses(TokenSequence item, bool divergence = false, string? adapter = "all", double strength = 1.0, string model = Model)
    {
        using var session = ScoringSession.Open(
            Golden.Folder(model), adapter is null ? null : AdapterPath(adapter), new ScoringOptions { Cache = _store, Strength = strength });
        session.Score(item, divergence);
        return session.Statistics.CacheMisses;
    }

    private string CopyModel()
    {
        string folder = _folder.File("model");
        Directory.CreateDirectory(folder);
        foreach (string name in (string[])["config.json", "model.safetensors"])
        {
            File.Copy(Path.Combine(Golden.Folder(Model), name), Path.Combine(folder, name));
        }

        return folder;
    }
}
