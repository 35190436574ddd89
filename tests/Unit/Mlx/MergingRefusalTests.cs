using Sway.Adapters;
using Sway.Merging;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Mlx;

/// <summary>Adapters whose factors, added as they are, would not be their function: nothing is merged, combined or compared.</summary>
public sealed class MergingRefusalTests
{
    private const string Config = """{ "model_type": "llama", "hidden_size": 4, "num_hidden_layers": 2, "vocab_size": 9, "tie_word_embeddings": TIED }""";
    private const string Module = "model.layers.0.self_attn.q_proj";
    private const string Prefix = "base_model.model.";

    [Theory]
    [InlineData("pissa")]
    [InlineData("pissa_niter_4")]
    [InlineData("olora")]
    [InlineData("corda")]
    [InlineData("lora_ga")]
    public void AnInitialisationThatChangedTheBaseStandsInTheWay(string name)
    {
        using AdapterFiles adapter = AdapterFiles.Peft($"\"init_lora_weights\": \"{name}\"").AddPair(Prefix + Module);
        string path = adapter.Write();
        string model = Base(adapter, "false");
        Assert.Equal([RefusalCategory.MutatedBase], Categories(() => AdapterMerger.Merge(path, adapter.Output, new MergeOptions { BaseModel = model })));
        Assert.Contains(RefusalCategory.MutatedBase, Categories(() => AdapterCombiner.Combine([path, path], adapter.Output, new CombinationOptions())));
        Assert.Equal([RefusalCategory.MutatedBase], Categories(() => AdapterComparer.Compare(path, path, new ComparisonOptions { NoBaseLookup = true })));
        Assert.False(Directory.Exists(adapter.Output));
    }

    [Fact]
    public void NumbersThatAreNotFiniteAreNotMerged()
    {
        using AdapterFiles adapter = AdapterFiles.Peft().Add(Prefix + Module + ".lora_A.weight", MemoryTensor.Of([1, 2, 3, float.NaN, 5, 6, 7, 8], 2, 4)).Add(Prefix + Module + ".lora_B.weight", 6, 2);
        string path = adapter.Write();
        string model = Base(adapter, "false");
        Assert.Equal([RefusalCategory.NonFinite], Categories(() => AdapterMerger.Merge(path, adapter.Output, new MergeOptions { BaseModel = model })));
        Assert.Contains(RefusalCategory.NonFinite, Categories(() => AdapterCombiner.Combine([path, path], adapter.Output, new CombinationOptions { BaseModel = model })));
        Assert.Equal([RefusalCategory.NonFinite], Categories(() => AdapterComparer.Compare(path, path)));
        Assert.False(Directory.Exists(adapter.Output));
    }

    [Fact]
    public void AHeadThatTheEmbeddingIsTakenForIsNotMergedIntoAStaleCopy()
    {
        using AdapterFiles adapter = AdapterFiles.Peft().AddPair(Prefix + "lm_head", outputs: 9);
        string path = adapter.Write();
        string tied = Base(adapter, "true");
        Assert.Equal([RefusalCategory.TiedHead], Categories(() => AdapterMerger.Merge(path, adapter.Output, new MergeOptions { BaseModel = tied })));
        string untied = Base(adapter, "false");
        Assert.Equal(1, AdapterMerger.Merge(path, adapter.Output, new MergeOptions { BaseModel = untied }, cancellationToken: TestContext.Current.CancellationToken).TensorCount);
    }

    [Fact]
    public void TheMirroredPairOfATiedHeadIsMergedOnce()
    {
        const string Table = Prefix + "model.embed_tokens";
        using AdapterFiles adapter = AdapterFiles.Peft().Add(Table + ".lora_embedding_A", 2, 9).Add(Table + ".lora_embedding_B", 4, 2);
        adapter.Add(Prefix + "lm_head.lora_A.weight", adapter[Table + ".lora_embedding_B"].Transpose());
        adapter.Add(Prefix + "lm_head.lora_B.weight", adapter[Table + ".lora_embedding_A"].Transpose());
        string model = Base(adapter, "true");
        AdapterMerger.Merge(adapter.Write(), adapter.Output, new MergeOptions { BaseModel = model }, cancellationToken: TestContext.Current.CancellationToken);
        using SafetensorsFile before = SafetensorsFile.Open(Path.Combine(model, "model.safetensors"));
        using SafetensorsFile after = SafetensorsFile.Open(Path.Combine(adapter.Output, "model.safetensors"));
        double[] old = before.Get("model.embed_tokens.weight").ToDoubleArray(), merged = after.Get("model.embed_tokens.weight").ToDoubleArray();
        double[] a = adapter[Table + ".lora_embedding_A"].ToDoubleArray(), b = adapter[Table + ".lora_embedding_B"].ToDoubleArray();
        for (int token = 0; token < 9; token++)
        {
            for (int k = 0; k < 4; k++)
            {
                double delta = 2 * ((b[k * 2] * a[token]) + (b[(k * 2) + 1] * a[9 + token]));
                Assert.Equal(old[(token * 4) + k] + delta, merged[(token * 4) + k], 1e-5);
            }
        }
    }

    [Fact]
    public void WeightsThatMlxRescalesOnLoadingAreNotMergedIntoTheOriginal()
    {
        using AdapterFiles adapter = AdapterFiles.Mlx().AddMlxPair(Module);
        string model = adapter.WriteBase(
            """{ "model_type": "falcon_h1", "hidden_size": 4, "num_hidden_layers": 2, "attention_in_multiplier": 0.5, "tie_word_embeddings": false }""", (Module + ".weight", [6, 4]));
        Assert.Equal([RefusalCategory.UnknownModule], Categories(() => AdapterMerger.Merge(adapter.Write(), adapter.Output, new MergeOptions { BaseModel = model })));
    }

    [Fact]
    public void StacksOfOtherSizesThanTheBasesAreNotMerged()
    {
        const string Stack = "model.layers.0.mlp.switch_mlp.up_proj";
        using AdapterFiles adapter = AdapterFiles.Mlx().Add(Stack + ".lora_a", 3, 2, 4).Add(Stack + ".lora_b", 3, 6, 2);
        string model = adapter.WriteBase(
            """{ "model_type": "qwen3_moe", "hidden_size": 4, "num_hidden_layers": 2, "num_experts": 4, "tie_word_embeddings": false }""", (Stack + ".weight", [4, 6, 4]));
        Assert.Equal([RefusalCategory.UnknownModule], Categories(() => AdapterMerger.Merge(adapter.Write(), adapter.Output, new MergeOptions { BaseModel = model })));
    }

    [Fact]
    public void AModuleThatTheFileLacksIsWarnedOf()
    {
        using AdapterFiles adapter = AdapterFiles.Peft().AddPair(Prefix + Module);
        string model = Base(adapter, "false");
        AdapterMergeResult result = AdapterMerger.Merge(adapter.Write(), adapter.Output, new MergeOptions { BaseModel = model }, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Contains(result.Warnings, warning => warning.Contains("model.layers.1.self_attn.q_proj", StringComparison.Ordinal));
    }

    [Fact]
    public void AdaptersThatNameModulesDifferentlyAreNotCombined()
    {
        using AdapterFiles whole = AdapterFiles.Peft().AddPair(Prefix + Module);
        using AdapterFiles headless = AdapterFiles.Peft().AddPair(Prefix + "layers.0.self_attn.q_proj");
        Assert.Equal([RefusalCategory.DuplicateModule], Categories(() => AdapterCombiner.Combine([whole.Write(), headless.Write()], whole.Output, new CombinationOptions())));
    }

    [Fact]
    public void AdaptersOfBasesOfDifferentSizesAreNotCompared()
    {
        using AdapterFiles narrow = AdapterFiles.Peft().AddPair(Prefix + Module);
        using AdapterFiles wide = AdapterFiles.Peft().AddPair(Prefix + Module, inputs: 8);
        Assert.Equal([RefusalCategory.ShapeMismatch], Categories(() => AdapterComparer.Compare(narrow.Write(), wide.Write())));
    }

    private static string Base(AdapterFiles adapter, string tied) => adapter.WriteBase(
        Config.Replace("TIED", tied, StringComparison.Ordinal),
        (Module + ".weight", [6, 4]), ("model.layers.1.self_attn.q_proj.weight", [6, 4]), ("model.embed_tokens.weight", [9, 4]), ("lm_head.weight", [9, 4]));

    private static IReadOnlyList<RefusalCategory> Categories(Action action) =>
        [.. Assert.Throws<ConversionRefusedException>(action).Refusals.Select(refusal => refusal.Category).Distinct()];
}
