using System.Text.Json;
using Sway.Adapters;
using Sway.Adapters.Megatron;
using Sway.Adapters.Mlx.Repair;
using Sway.Conversion;
using Sway.Merging;
using Sway.Scoring;
using Sway.Tokenization;
using Sway.Unit.Adapters.Megatron;
using Sway.Unit.Support;
using Sway.Validation;

namespace Sway.Unit.Fuzzing;

/// <summary>Something that reads files: which fixtures it starts from, and what is done with them.</summary>
/// <param name="Name">The target's name, also the test case's.</param>
/// <param name="Source">The fixture folder whose files are changed, below tests/Fixtures.</param>
/// <param name="Base">The base model's fixture folder, or null.</param>
/// <param name="Use">Uses the copies as a user would: (source folder, base folder or null, output folder).</param>
internal sealed record FuzzTarget(string Name, string Source, string? Base, Action<string, string?, string> Use)
{
    /// <summary>True when the base's files are changed, not the source's.</summary>
    public bool ChangesBase { get; init; }

    /// <summary>True when a conversion that succeeds is compared with an independent reading of the changed files.</summary>
    public bool HasIndependentReading { get; init; }

    /// <summary>False where damage is a result, so that no error may come out at all.</summary>
    public bool MayFail { get; init; } = true;

    /// <summary>Every reader, by the kinds of files that it takes.</summary>
    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        Peft("plain-qv-r8", "llama-untied") with { HasIndependentReading = true },
        Peft("rank-pattern", "llama-untied") with { HasIndependentReading = true },
        Peft("alpha-pattern", "llama-untied") with { HasIndependentReading = true },
        Peft("rslora", "llama-untied") with { HasIndependentReading = true },
        Peft("dtype-bf16", "llama-untied") with { HasIndependentReading = true },
        Peft("dora-linear", "llama-untied"),
        Peft("adalora-pruned", "llama-untied"),
        Peft("loha", "llama-untied"),
        Peft("bdlora", "llama-untied"),
        Peft("pissa-raw", "llama-untied"),
        Peft("embed-untied-with-base-copy", "llama-untied"),
        Peft("tied-ensure-weight-tying", "llama-tied"),
        Peft("trainable-tokens-untied", "llama-untied"),
        Peft("modules-to-save-equal", "llama-untied"),
        Peft("gpt2-conv1d", "gpt2"),
        Peft("gemma3-vlm-text", "gemma3-vlm"),
        Peft("bin-zip", "llama-untied"),
        Peft("bin-legacy", "llama-untied"),
        Peft("target-regex", "llama-untied"),
        Experts("lin4-mixtral-partial-ranks", "mixtral-tf4"),
        Experts("tp-qwen3moe-both-attn", "qwen3moe"),
        Experts("resave-qwen3moe", "qwen3moe"),
        Experts("tp18-qwen3moe-square", "qwen3moe-sq"),
        Experts("split-granitehybrid-dense", "granitemoehybrid-dense"),
        Experts("mup-falconh1", "falconh1-att1"),
        OnBase("base-llama", "peft/cases/plain-qv-r8/adapter", "peft/models/llama-untied"),
        OnBase("base-pissa", "peft/cases/pissa-raw/adapter", "peft/models/llama-untied"),
        OnBase("base-qwen3moe", "names/tp-qwen3moe-both-attn", "names/models/qwen3moe"),
        OnBase("base-mixtral", "names/lin4-mixtral-partial-ranks", "names/models/mixtral-tf4"),
        OnBase("base-falconh1", "names/mup-falconh1", "names/models/falconh1-att1"),
        OnBase("base-lfm2", "names/refuse-conv-lfm2", "names/models/lfm2"),
        Mlx("lora-relative-keys", "llama-untied"),
        Mlx("dora-default-keys", "llama-untied"),
        Mlx("moe-qwen3-default-keys", "qwen3-moe"),
        Mlx("legacy-0.0.14-npz", "llama-classic"),
        Mlx("legacy-0.14.0-alpha", "llama-classic"),
        Mlx("legacy-flattened-qwen3-moe", "qwen3-moe"),
        Testing("peft/cases/rank-pattern/adapter", "peft/models/llama-untied"),
        Testing("peft/cases/dora-linear/adapter", "peft/models/llama-untied"),
        Testing("names/tp-qwen3moe-both-attn", "names/models/qwen3moe"),
        Testing("mlx/adapters/lora-mixed-keys", "mlx/models/llama-untied"),
        Merging("plain-qv-r8", "llama-untied"),
        Merging("dora-linear", "llama-untied"),
        Merging("gpt2-conv1d", "gpt2"),
        Attaching("llama-gqa", "adapters/all"),
        Attaching("llama-gqa", "adapters/dora"),
        Attaching("llama-gqa", "adapters/embed-head"),
        Attaching("llama-gqa", "adapters/patterns"),
        Attaching("mixtral", "adapters/experts"),
        Attaching("mixtral", "adapters/per-expert"),
        Attaching("llama-mlx-4bit-gs32", "mlx-adapters/all"),
        Megatron("lora-tp2-f32"),
        Megatron("moe-sequential-ep2-f32"),
        Megatron("mcore016-lora-tp1-f32"),
        Scoring("llama-gqa"),
        Scoring("llama-rope3-tied"),
        Scoring("llama-mlx-4bit-gs32"),
        Scoring("phi3-longrope"),
        Scoring("mixtral"),
        Scoring("deepseek-v3"),
        Scoring("lfm2"),
        Tokenizing("llama2"),
        Tokenizing("gpt2"),
        Tokenizing("llama3"),
        Tokenizing("unigram-t5"),
        Tokenizing("wordpiece"),
        Tokenizing("kimi"),
    ];

    private static FuzzTarget Peft(string name, string model) =>
        new("peft-" + name, $"peft/cases/{name}/adapter", "peft/models/" + model, InspectAndConvert);

    private static FuzzTarget Experts(string name, string model) => new("names-" + name, "names/" + name, "names/models/" + model, InspectAndConvert);

    private static FuzzTarget OnBase(string name, string source, string model) => new(name, source, model, InspectAndConvert) { ChangesBase = true };

    private static FuzzTarget Mlx(string name, string model) => new("mlx-" + name, "mlx/adapters/" + name, "mlx/models/" + model, (source, model, output) =>
    {
        AdapterInspector.Inspect(source, norms: true);
        try
        {
            MlxAdapterRepair.Repair(source, new AdapterRepairOptions { BaseModel = model, WhatIf = true, UpdateLayout = true });
        }
        catch (SwayException)
        {
            // Converting says more.
        }

        AdapterConverter.Convert(source, output, new ConversionOptions { Target = ConversionTarget.Peft, BaseModel = model, TransformersVersion = 4 });
    });

    private static FuzzTarget Megatron(string name)
    {
        var fixture = new MegatronFixture(name);
        string Below(string path) => Path.GetRelativePath(Repository.Fixture(), path).Replace('\\', '/');
        return new FuzzTarget("megatron-" + name, Below(Directory.Exists(Path.Combine(fixture.Checkpoint, "iter_0000120")) ? Path.Combine(fixture.Checkpoint, "iter_0000120") : fixture.Checkpoint), Below(fixture.Base), InspectAndConvert);
    }

    /// <summary>Into the base's weights, and together with itself.</summary>
    private static FuzzTarget Merging(string name, string model) => new("merge-" + name, $"peft/cases/{name}/adapter", "peft/models/" + model, (source, model, output) =>
    {
        try
        {
            AdapterCombiner.Combine([source, source], output, new CombinationOptions { Weights = [0.5, 0.25], Method = CombinationMethod.Cat });
            Directory.Delete(output, recursive: true);
        }
        catch (SwayException)
        {
            // Merging says more.
        }

        AdapterMerger.Merge(source, output, new MergeOptions { BaseModel = model });
    });

    private static FuzzTarget Attaching(string model, string adapter) =>
        new($"attach-{model}-{Path.GetFileName(adapter)}", $"scoring/{model}/{adapter}", "scoring/" + model, (source, model, _) =>
        {
            using ScoringSession session = ScoringSession.Open(model!, source, new ScoringOptions { Threads = 1 });
            session.Score(new TokenSequence([1, 2, 3, 1], 1), divergence: true);
        });

    private static FuzzTarget Testing(string source, string model) => new("test-" + source.Replace('/', '-'), source, model, (source, model, _) =>
    {
        LoraAdapterTestResult result = AdapterTester.Test(source, new AdapterTestOptions { BaseModel = model, Reference = source });
        result.Findings.ShouldAllBe(finding => finding.Message.Length > 0 && finding.Category.Length > 0);
        JsonSerializer.SerializeToUtf8Bytes(result).Length.ShouldBeGreaterThan(0);
    })
    { MayFail = false };

    private static FuzzTarget Scoring(string name) => new("scoring-" + name, "scoring/" + name, null, (source, _, _) =>
    {
        using ScoringSession session = ScoringSession.Open(source, null, new ScoringOptions { Threads = 1 });
        session.Score(new TokenSequence([1, 2, 3, 1], 1));
    });

    private static FuzzTarget Tokenizing(string name) => new("tokenizer-" + name, "tokenizers/" + name, null, (source, _, _) =>
    {
        Tokenizer tokenizer = Tokenizer.Load(source);
        Encoding encoding = tokenizer.Encode("The quick brown fox, 12345 times \u00e9\u6f22\u5b57 <s> \U0001F600.\n  ", addSpecialTokens: true);
        tokenizer.Decode(encoding.Ids, skipSpecial: false);
    });

    private static void InspectAndConvert(string source, string? model, string output)
    {
        AdapterInspector.Inspect(source, norms: true);
        AdapterConverter.Convert(source, output, new ConversionOptions { BaseModel = model, NoBaseLookup = true, Verify = true });
    }
}
