using System.Text.Json;
using Sway.Adapters;
using Sway.Adapters.Mlx;
using Sway.Architectures;
using Sway.Conversion;
using Sway.Conversion.Peft;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Mlx;

public sealed class PeftPlannerTests
{
    [Fact]
    public void LinearFactorsKeepTheirBits()
    {
        using ConversionPlan plan = Plan("lora-relative-keys", 5);
        Assert.All(plan.Tensors, tensor => Assert.True(tensor.Value.KeepsBits));
        using JsonDocument config = JsonDocument.Parse(plan.Configuration);
        Assert.Equal(17.5, config.RootElement.GetProperty("lora_alpha").GetDouble());
        Assert.Equal(9, config.RootElement.GetProperty("target_modules").GetArrayLength());
    }

    [Fact]
    public void AScaleWhoseAlphaIsInfiniteIsRefused()
    {
        using var folder = new TemporaryFolder();
        string config = Path.Combine(MlxFixture.Copy("adapters", "lora-relative-keys", folder), "adapter_config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"scale\": 3.5", "\"scale\": 1e308", StringComparison.Ordinal));
        ConversionRefusedException refused = Should.Throw<ConversionRefusedException>(() => AdapterConverter.Convert(
            folder.Path,
            folder.File("out"),
            new ConversionOptions { Target = ConversionTarget.Peft, BaseModel = MlxFixture.Model(MlxFixture.Expected("adapters", "lora-relative-keys")) },
            cancellationToken: TestContext.Current.CancellationToken));
        Refusal refusal = refused.Refusals.ShouldHaveSingleItem();
        refusal.Category.ShouldBe(RefusalCategory.NonFinite);
        refusal.Modules.Count.ShouldBe(9);
    }

    [Fact]
    public void ExpertsOfTransformers5ArePackedParameters()
    {
        using ConversionPlan plan = Plan("moe-qwen3-switch-only", 5);
        using JsonDocument config = JsonDocument.Parse(plan.Configuration);
        Assert.Equal(
            ["model.layers.1.mlp.experts.down_proj", "model.layers.1.mlp.experts.gate_up_proj"],
            config.RootElement.GetProperty("target_parameters").EnumerateArray().Select(item => item.GetString()!).Order(StringComparer.Ordinal));
        TensorExpression Tensor(string name) => plan.Tensors.Single(tensor => tensor.Name == "base_model.model.model.layers.1.mlp.experts." + name).Value;
        using LoraAdapter adapter = MlxAdapterReader.Open(MlxFixture.Folder("adapters", "moe-qwen3-switch-only"));
        LoraModule gate = adapter.Modules.Single(module => module.Path.EndsWith("gate_proj", StringComparison.Ordinal));
        CheckPacked(Tensor("base_layer.lora_A.weight"), Tensor("base_layer.lora_B.weight"), gate, rows: 2);
        LoraModule down = adapter.Modules.Single(module => module.Path.EndsWith("down_proj", StringComparison.Ordinal));
        CheckPacked(Tensor("lora_A.weight"), Tensor("lora_B.weight"), down, rows: 1);
    }

    [Fact]
    public void ExpertsOfTransformers4AreModulesWithTheMissingPartnerAtZero()
    {
        using ConversionPlan plan = Plan("moe-qwen3-switch-only", 4);
        TensorExpression up = plan.Tensors.Single(tensor => tensor.Name.EndsWith("experts.3.up_proj.lora_B.weight", StringComparison.Ordinal)).Value;
        Assert.All(up.ToSingleArray(), value => Assert.Equal(0, value));
    }

    [Fact]
    public void TiedEmbeddingGetsTheMirroredPair()
    {
        using ConversionPlan plan = Plan("lora-tied-embedding", 5);
        TensorExpression Tensor(string name) => plan.Tensors.Single(tensor => tensor.Name == "base_model.model." + name).Value;
        Assert.Equal(Tensor("model.embed_tokens.lora_embedding_B").Transpose().ToSingleArray(), Tensor("lm_head.lora_A.weight").ToSingleArray());
        Assert.Equal(Tensor("model.embed_tokens.lora_embedding_A").Transpose().ToSingleArray(), Tensor("lm_head.lora_B.weight").ToSingleArray());
    }

    [Fact]
    public void DoraOnAnEmbeddingIsRefused()
    {
        ConversionRefusedException refused = Assert.Throws<ConversionRefusedException>(() => Plan("dora-embedding", 5));
        Assert.Contains(refused.Refusals, refusal => refusal.Category == RefusalCategory.DoraEmbedding);
    }

    /// <summary>PEFT's own unpacking: rows of A are expert-major, columns of B rank-major.</summary>
    private static void CheckPacked(TensorExpression a, TensorExpression b, LoraModule module, int rows)
    {
        int experts = (int)module.A.Shape[0], rank = module.Rank, output = (int)module.B.Shape[1];
        Assert.Equal(rows * output, b.Shape[0]);
        for (int expert = 0; expert < experts; expert++)
        {
            TensorExpression own = a.Slice(0, expert * rank, rank);
            TensorExpression columns = b.Slice(0, 0, output).Slice(1, expert, rank, experts);
            MlxFixture.AssertClose(
                MlxFixture.Delta(module.A.Index(0, expert), module.B.Index(0, expert), 1, false), MlxFixture.Delta(own, columns, 1, false), module.Path);
        }
    }

    private static ConversionPlan Plan(string name, int version)
    {
        LoraAdapter adapter = MlxAdapterReader.Open(MlxFixture.Folder("adapters", name));
        try
        {
            BaseModel model = BaseModel.Open(MlxFixture.Model(MlxFixture.Expected("adapters", name)));
            return PeftPlanner.Plan(adapter, model, BaseSource.Parameter, new ConversionOptions { Target = ConversionTarget.Peft, TransformersVersion = version });
        }
        catch
        {
            adapter.Dispose();
            throw;
        }
    }
}
