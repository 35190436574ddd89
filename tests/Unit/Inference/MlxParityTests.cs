using System.Text.Json;
using Sway.Caching;
using Sway.Inference;
using Sway.Inference.Mlx;
using Sway.Scoring;
using Sway.Unit.Scoring;
using Sway.Unit.Support;

namespace Sway.Unit.Inference;

/// <summary>The MLX engine beside the managed one, which the goldens of transformers hold.</summary>
public sealed class MlxParityTests
{
    private const double Tolerance = 1e-4;

    private static readonly ScoringOptions s_cpu = new() { Backend = BackendChoice.Cpu };
    private static readonly ScoringOptions s_mlx = new() { Backend = BackendChoice.Mlx };

    [Theory]
    [MemberData(nameof(GoldenTests.Views), MemberType = typeof(GoldenTests))]
    public void Every_model_and_adapter_scores_as_on_the_managed_engine(string model, string view, string kind)
    {
        NativeMlx.Require();
        TokenSequence[] sequences = Sequences(model);
        string? adapter = view == "base" ? null : Path.Combine(Golden.Folder(model), kind, view);
        using var cpu = ScoringSession.Open(Golden.Folder(model), adapter, s_cpu);
        using var mlx = ScoringSession.Open(Golden.Folder(model), adapter, s_mlx);
        mlx.Backend.ShouldBe("mlx");

        // One model multiplies roundings: transformers in float32 is itself further from float64 there than the tolerance allows.
        double tolerance = Math.Max(Tolerance, Golden.Tolerance(model, view));
        Worst(mlx.Score(sequences, divergence: true), cpu.Score(sequences, divergence: true)).ShouldBeLessThan(tolerance);
        Golden.Error(model, view, kind, s_mlx).ShouldBeLessThan(tolerance);
    }

    [Theory]
    [InlineData("llama-gqa", "all")]
    [InlineData("gpt-oss", null)]
    [InlineData("gemma2", "all")]
    [InlineData("lfm2", "all-linear")]
    [InlineData("deepseek-v3", null)]
    public void Common_prefixes_windows_and_batches_change_nothing(string model, string? view)
    {
        NativeMlx.Require();
        int[] ids = Golden.Ints(Golden.Read(model).GetProperty("sequences")[2]);
        TokenSequence[] sequences = [.. Enumerable.Range(0, 6).Select(i => new TokenSequence([.. ids.Take(12), .. ids.Skip(i).Take(4 + i)], 12))];
        string? adapter = view is null ? null : Path.Combine(Golden.Folder(model), "adapters", view);
        using var cpu = ScoringSession.Open(Golden.Folder(model), adapter, s_cpu);
        using var shared = ScoringSession.Open(Golden.Folder(model), adapter, s_mlx);
        using var alone = ScoringSession.Open(Golden.Folder(model), adapter, s_mlx with { SharePrefixes = false, WaveTokens = 1 });
        SequenceScore[] truth = [.. cpu.Score(sequences)];
        Worst(shared.Score(sequences), truth).ShouldBeLessThan(Tolerance);
        Worst(alone.Score(sequences), truth).ShouldBeLessThan(Tolerance);
    }

    [Fact]
    public void Strengths_interpolate_and_zero_is_the_base()
    {
        NativeMlx.Require();
        string folder = Golden.Folder("llama-gqa");
        TokenSequence[] sequences = Sequences("llama-gqa");
        foreach (string view in (string[])["all", "dora", "embed-head"])
        {
            foreach (double strength in (double[])[0.0, 0.5, -1.0, 2.0])
            {
                string adapter = Path.Combine(folder, "adapters", view);
                using var cpu = ScoringSession.Open(folder, adapter, s_cpu with { Strength = strength });
                using var mlx = ScoringSession.Open(folder, adapter, s_mlx with { Strength = strength });
                SequenceScore[] scores = [.. mlx.Score(sequences, divergence: true)];
                Worst(scores, cpu.Score(sequences, divergence: true)).ShouldBeLessThan(Tolerance);
                if (strength == 0.0)
                {
                    scores.ShouldAllBe(score => score.Base.LogProbs.SequenceEqual(score.Adapted!.LogProbs));
                }
            }
        }
    }

    [Theory]
    [InlineData("llama-gqa")]
    [InlineData("phi3-longrope")]
    [InlineData("mistral-window")]
    [InlineData("lfm2")]
    [InlineData("qwen3-5-text")]
    [InlineData("gpt-oss")]
    [InlineData("deepseek-v3")]
    [InlineData("llama-mlx-4bit-gs32")]
    public void Greedy_generation_and_next_tokens_are_the_same(string model)
    {
        NativeMlx.Require();
        int[] prompt = [.. Golden.Ints(Golden.Read(model).GetProperty("sequences")[2]).Take(9)];
        using var cpu = ScoringSession.Open(Golden.Folder(model), null, s_cpu);
        using var mlx = ScoringSession.Open(Golden.Folder(model), null, s_mlx);
        var settings = new GenerationSettings { MaxTokens = 24 };
        NextToken.Generate(mlx, prompt, false, settings).ShouldBe(NextToken.Generate(cpu, prompt, false, settings));
        NextTokenDistribution a = NextToken.Predict(mlx, prompt, 16);
        NextTokenDistribution b = NextToken.Predict(cpu, prompt, 16);
        Golden.Worst(a.Base.LogProbs, b.Base.LogProbs).ShouldBeLessThan(Tolerance);
        a.Base.TailLogProb!.Value.ShouldBe(b.Base.TailLogProb!.Value, Tolerance);
    }

    [Theory]
    [InlineData("llama-gqa", "all")]
    [InlineData("llama-gqa", "dora")]
    [InlineData("llama-gqa", "patterns")]
    [InlineData("gpt-neox", "all")]
    [InlineData("gpt-oss", "experts")]
    [InlineData("mixtral", "per-expert")]
    [InlineData("qwen3-moe", "experts")]
    [InlineData("qwen3-5-text", "all-linear")]
    public void A_peft_adapter_converts_itself_through_the_cache_and_scores_the_same(string model, string view)
    {
        NativeMlx.Require();
        using var folder = new TemporaryFolder();
        var store = new CacheStore(new CacheSettings { Directory = folder.File("cache") });
        string adapter = Path.Combine(Golden.Folder(model), "adapters", view);
        using var cpu = ScoringSession.Open(Golden.Folder(model), adapter, s_cpu);
        using var mlx = ScoringSession.Open(Golden.Folder(model), adapter, s_mlx with { Cache = store });
        new CacheManager(store).List().ShouldHaveSingleItem().Kind.ShouldBe(CacheEntryKind.Conversion);
        mlx.AdapterPath.ShouldBe(adapter);
        TokenSequence[] sequences = Sequences(model);
        double tolerance = Math.Max(Tolerance, Golden.Tolerance(model, view));
        Worst(mlx.Score(sequences, divergence: true), cpu.Score(sequences, divergence: true)).ShouldBeLessThan(tolerance);
        mlx.Statistics.CacheHits.ShouldBe(0);
        Worst(mlx.Score(sequences, divergence: true), cpu.Score(sequences, divergence: true)).ShouldBeLessThan(tolerance);
        mlx.Statistics.CacheHits.ShouldBe(sequences.Length);
    }

    [Fact]
    public void A_cache_that_cannot_be_written_costs_no_measurement()
    {
        NativeMlx.Require();
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("file"), "");
        var store = new CacheStore(new CacheSettings { Directory = folder.File("file") });
        string adapter = Path.Combine(Golden.Folder("llama-gqa"), "adapters", "all");
        using var session = ScoringSession.Open(Golden.Folder("llama-gqa"), adapter, s_mlx with { Cache = store });
        session.Score(Sequences("llama-gqa")).ShouldNotBeEmpty();
    }

    [Fact]
    public void Native_precision_computes_in_the_weights_type_and_is_near()
    {
        NativeMlx.Require();
        string folder = Repository.Sample("base");
        TokenSequence[] sequences = [new TokenSequence([1, 40, 17, 99, 5, 64, 23, 8], 1)];
        using var exact = ScoringSession.Open(folder, null, s_mlx);
        using var native = ScoringSession.Open(folder, null, s_mlx with { Precision = PrecisionChoice.Native });
        double distance = Worst(native.Score(sequences), exact.Score(sequences));
        distance.ShouldBeGreaterThan(0.0);
        distance.ShouldBeLessThan(1.0);
    }

    [Fact]
    public void Weights_are_held_once()
    {
        NativeMlx.Require();
        string folder = Repository.Sample("base");
        long weights = new FileInfo(Path.Combine(folder, "model.safetensors")).Length;
        MlxRuntime runtime = MlxRuntime.Get();
        using var session = ScoringSession.Open(folder, Path.Combine(Repository.Sample("adapters"), "bible"), s_mlx);
        session.Score(new TokenSequence([1, 40, 17], 1));
        long held = runtime.Run(() =>
        {
            MlxRuntime.Check(MlxNative.ActiveMemory(out nuint bytes));
            return (long)bytes;
        });
        held.ShouldBeLessThan((long)(weights * 1.15) + 2_000_000);
    }

    [Fact]
    public void An_error_of_the_library_is_an_exception_here_and_the_process_goes_on()
    {
        NativeMlx.Require();
        MlxRuntime runtime = MlxRuntime.Get();
        var operations = new MlxOperations(runtime);
        float[] six = [1, 2, 3, 4, 5, 6];
        Should.Throw<NativeLibraryException>(() => runtime.Run(() =>
        {
            using MlxOperations.Scope scope = operations.Begin();
            MlxArray a = operations.New(six, MlxType.Float32, 2, 3);
            return operations.MatMul(a, a);
        })).Message.ShouldContain("matmul");
        runtime.Run(() =>
        {
            using MlxOperations.Scope scope = operations.Begin();
            MlxArray a = operations.New(six, MlxType.Float32, 2, 3);
            return operations.MatMul(a, operations.Transpose(a, 1, 0)).Shape;
        }).ShouldBe([2, 2]);
    }

    [Fact]
    public void Sessions_of_several_threads_share_the_one_thread_of_MLX()
    {
        NativeMlx.Require();
        string folder = Golden.Folder("llama-gqa");
        TokenSequence[] sequences = Sequences("llama-gqa");
        using var one = ScoringSession.Open(folder, null, s_mlx);
        string truth = JsonSerializer.Serialize(one.Score(sequences));
        Parallel.For(0, 6, _ =>
        {
            using var session = ScoringSession.Open(folder, null, s_mlx);
            JsonSerializer.Serialize(session.Score(sequences)).ShouldBe(truth);
        });
    }

    private static TokenSequence[] Sequences(string model) => [.. Golden.Read(model).GetProperty("sequences").EnumerateArray()
        .Select(Golden.Ints).Where(ids => ids.Length > 1).Select(ids => new TokenSequence(ids, 1))];

    private static double Worst(IEnumerable<SequenceScore> got, IEnumerable<SequenceScore> want)
    {
        SequenceScore[] a = [.. got];
        SequenceScore[] b = [.. want];
        a.Length.ShouldBe(b.Length);
        double worst = 0.0;
        for (int i = 0; i < a.Length; i++)
        {
            worst = Math.Max(worst, Golden.Worst(a[i].Base.LogProbs, b[i].Base.LogProbs));
            if (b[i].Adapted is { } adapted)
            {
                worst = Math.Max(worst, Golden.Worst(a[i].Adapted!.LogProbs, adapted.LogProbs));
            }

            if (b[i].Divergence is { } divergence)
            {
                worst = Math.Max(worst, Golden.Worst(a[i].Divergence!.AdaptedBase, divergence.AdaptedBase));
                worst = Math.Max(worst, Golden.Worst(a[i].Divergence!.BaseAdapted, divergence.BaseAdapted));
                worst = Math.Max(worst, Golden.Worst(a[i].Divergence!.JensenShannon, divergence.JensenShannon));
            }
        }

        return worst;
    }
}
