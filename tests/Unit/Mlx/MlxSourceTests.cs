using System.Text.Json.Nodes;
using Sway.Adapters;
using Sway.Conversion;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Mlx;

/// <summary>mlx-lm adapters that do not fit their base, or whose files leave the scale open, on their way to PEFT.</summary>
public sealed class MlxSourceTests
{
    private const string Llama = """{ "model_type": "llama", "hidden_size": 4, "num_hidden_layers": 2, "vocab_size": 9, "tie_word_embeddings": false }""";
    private const string Layer0 = "model.layers.0.self_attn.q_proj";
    private const string Layer1 = "model.layers.1.self_attn.q_proj";

    [Fact]
    public void FactorsOfAnotherSizeThanTheBaseAreRefused()
    {
        using AdapterFiles adapter = AdapterFiles.Mlx().AddMlxPair(Layer0, inputs: 5);
        string path = adapter.Write();
        Assert.Equal([RefusalCategory.ShapeMismatch], Refusals(path, adapter.WriteBase(Llama)));
        Assert.Equal([RefusalCategory.ShapeMismatch], Refusals(path, adapter.WriteBase(Llama, (Layer0 + ".weight", [6, 4]))));
    }

    [Fact]
    public void LayersThatTheBaseDoesNotHaveAreRefused()
    {
        using AdapterFiles adapter = AdapterFiles.Mlx().AddMlxPair("model.layers.2.self_attn.q_proj");
        Assert.Equal([RefusalCategory.UnknownModule], Refusals(adapter.Write(), adapter.WriteBase(Llama)));
    }

    [Fact]
    public void MoreExpertsThanTheBaseHasAreRefused()
    {
        using AdapterFiles adapter = AdapterFiles.Mlx().Add("model.layers.0.mlp.switch_mlp.up_proj.lora_a", 3, 2, 4).Add("model.layers.0.mlp.switch_mlp.up_proj.lora_b", 3, 6, 2);
        string baseModel = adapter.WriteBase("""{ "model_type": "qwen3_moe", "hidden_size": 4, "num_hidden_layers": 2, "num_experts": 4, "tie_word_embeddings": false }""");
        Assert.Contains(RefusalCategory.ShapeMismatch, Refusals(adapter.Write(), baseModel));
    }

    [Theory]
    [InlineData(null, 1, true)]
    [InlineData("self_attn.q_proj", 1, true)]
    [InlineData(Layer0, 1, false)]
    [InlineData(null, 2, false)]
    [InlineData(null, 0, false)]
    [InlineData(null, -1, false)]
    public void ALayerBeforeTheLastOnesIsNamed(string? key, int layers, bool named)
    {
        using AdapterFiles adapter = AdapterFiles.Mlx().AddMlxPair(Layer0).AddMlxPair(Layer1);
        adapter.Config["num_layers"] = layers;
        adapter.Config["lora_parameters"]!.AsObject().Remove("keys");
        if (key is not null)
        {
            adapter.Config["lora_parameters"]!["keys"] = new JsonArray(key, "self_attn.q_proj");
        }

        using ConversionPlan plan = AdapterFiles.Plan(adapter.Write(), ConversionTarget.Peft, adapter.WriteBase(Llama));
        Assert.Equal(named, plan.Summary.Warnings.Any(warning => warning.Contains(Layer0, StringComparison.Ordinal)));
        Assert.Equal(2, plan.Summary.ModuleCount);
    }

    [Fact]
    public void AMissingScaleCannotBeAllowed()
    {
        using AdapterFiles adapter = AdapterFiles.Mlx().AddMlxPair(Layer0);
        adapter.Config["lora_parameters"]!.AsObject().Remove("scale");
        var options = new ConversionOptions { AllowLoss = [RefusalCategory.MissingScale, RefusalCategory.NeedsBase] };
        Assert.Contains(RefusalCategory.MissingScale, AdapterFiles.Refusals(() => AdapterFiles.Plan(adapter.Write(), ConversionTarget.Peft, options: options)));
    }

    [Fact]
    public void ModulesWithScalesOfTheirOwnNeedOneEach()
    {
        using AdapterFiles adapter = AdapterFiles.Mlx().AddMlxPair(Layer0).AddMlxPair(Layer1);
        adapter.Config["unsloth_mlx_lora_module_scales"] = new JsonObject { [Layer0] = 0.5 };
        Assert.Equal([RefusalCategory.MissingScale], Refusals(adapter.Write(), adapter.WriteBase(Llama)));
        adapter.Config["unsloth_mlx_lora_module_scales"]![Layer1] = 0.25;
        using ConversionPlan plan = AdapterFiles.Plan(adapter.Write(), ConversionTarget.Peft, adapter.WriteBase(Llama));
        JsonNode config = JsonNode.Parse(plan.Configuration)!;
        Assert.Equal([0.5, 1.0], new[] { config["lora_alpha"]!.GetValue<double>(), config["alpha_pattern"]!.AsObject().Single().Value!.GetValue<double>() }.Order());
    }

    [Fact]
    public void AnAlphaThatContradictsTheScaleIsRefused()
    {
        using AdapterFiles adapter = AdapterFiles.Mlx().AddMlxPair(Layer0);
        string path = adapter.Write(), baseModel = adapter.WriteBase(Llama);
        Assert.Equal([RefusalCategory.BadConfig], AdapterFiles.Refusals(() => AdapterFiles.Plan(path, ConversionTarget.Peft, baseModel, new ConversionOptions { Alpha = 32 })));
        using ConversionPlan same = AdapterFiles.Plan(path, ConversionTarget.Peft, baseModel, new ConversionOptions { Alpha = 4 });
        Assert.Equal(2, same.Summary.Scale);
    }

    [Theory]
    [InlineData("tiiuae/Falcon-H1-0.5B-Instruct")]
    [InlineData("mlx-community/granite-4.0-h-1b-4bit")]
    public void CommonNamesOfAFamilyThatRenamesNeedTheBase(string name)
    {
        using AdapterFiles adapter = AdapterFiles.Mlx($"\"model\": \"{name}\"").AddMlxPair(Layer0);
        Assert.Contains(RefusalCategory.NeedsBase, Refusals(adapter.Write(), null));
    }

    [Fact]
    public void WhatWasLeftOutStandsInTheFile()
    {
        using AdapterFiles adapter = AdapterFiles.Mlx().AddMlxPair(Layer0).Add(Layer0 + ".lora_extra", 3);
        string path = adapter.Write(), baseModel = adapter.WriteBase(Llama);
        Assert.Equal([RefusalCategory.UnknownTensor], Refusals(path, baseModel));
        var options = new ConversionOptions { Target = ConversionTarget.Peft, BaseModel = baseModel, AllowLoss = [RefusalCategory.UnknownTensor] };
        AdapterConversionResult result = AdapterConverter.Convert(path, adapter.Output, options, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(["UnknownTensor"], result.Losses);
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(adapter.Output, "adapter_model.safetensors"));
        Assert.Equal("UnknownTensor", file.Metadata["sway_losses"]);
        Assert.Equal(Layer0 + ".lora_extra", file.Metadata["sway_left_out"]);
    }

    private static IReadOnlyList<RefusalCategory> Refusals(string path, string? baseModel) =>
        AdapterFiles.Refusals(() => AdapterFiles.Plan(path, ConversionTarget.Peft, baseModel));
}
