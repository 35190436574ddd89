using Sway.Adapters;
using Sway.Conversion;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Conversion;

/// <summary>Experts whose factors are square, and experts that a file lost.</summary>
public sealed class ExpertLayoutTests
{
    private const string Experts = "base_model.model.model.layers.0.mlp.experts";
    private const int Hidden = 4, Count = 3, Rank = 2;

    /// <summary>gpt_oss: the down projection is square, the gate and up projection is not and tells how both are packed, whatever
    /// transformers saved the base.</summary>
    [Theory]
    [InlineData(true, "4.55.0.dev0")]
    [InlineData(false, "4.55.0.dev0")]
    [InlineData(true, "5.1.0")]
    [InlineData(false, "5.1.0")]
    public void ASquareParameterIsPackedAsItsSibling(bool inputFirst, string transformers)
    {
        using AdapterFiles adapter = Adapter("mlp.experts.down_proj", "mlp.experts.gate_up_proj");
        adapter.Add(Experts + ".lora_A.weight", Rank * Count, Hidden).Add(Experts + ".lora_B.weight", Hidden, Rank * Count);
        adapter.Add(Experts + ".base_layer.lora_A.weight", Rank * Count, inputFirst ? Hidden : 2 * Hidden)
            .Add(Experts + ".base_layer.lora_B.weight", inputFirst ? 2 * Hidden : Hidden, Rank * Count);
        using ConversionPlan plan = AdapterFiles.Plan(adapter.Write(), baseModel: Base(adapter, transformers));
        double[] packedA = adapter[Experts + ".lora_A.weight"].ToDoubleArray(), packedB = adapter[Experts + ".lora_B.weight"].ToDoubleArray();
        double[] a = Tensor(plan, "down_proj.lora_a"), b = Tensor(plan, "down_proj.lora_b");
        for (int expert = 0; expert < Count; expert++)
        {
            for (int output = 0; output < Hidden; output++)
            {
                for (int input = 0; input < Hidden; input++)
                {
                    double wanted = 0, got = 0;
                    for (int j = 0; j < Rank; j++)
                    {
                        // Rows of A are expert-major, columns of B rank-major.
                        (int x, int y) = inputFirst ? (input, output) : (output, input);
                        wanted += packedB[(y * Rank * Count) + (j * Count) + expert] * packedA[(((expert * Rank) + j) * Hidden) + x];
                        got += b[(((expert * Hidden) + output) * Rank) + j] * a[(((expert * Rank) + j) * Hidden) + input];
                    }

                    Assert.Equal(wanted, got, 1e-9);
                }
            }
        }
    }

    [Fact]
    public void ASquareParameterAloneIsRefusedWhereTheBaseIsOlderThanTheTrainingMayBe()
    {
        using AdapterFiles adapter = Adapter("mlp.experts.down_proj");
        adapter.Add(Experts + ".lora_A.weight", Rank * Count, Hidden).Add(Experts + ".lora_B.weight", Hidden, Rank * Count);
        string path = adapter.Write();
        Assert.Equal([RefusalCategory.ExpertLayout], AdapterFiles.Refusals(() => AdapterFiles.Plan(path, baseModel: Base(adapter, "4.55.0"))));
        using ConversionPlan plan = AdapterFiles.Plan(path, baseModel: Base(adapter, "5.1.0"));
        Assert.Equal(1, plan.Summary.ModuleCount);
    }

    [Fact]
    public void AnExpertThatTheFileLostIsMissed()
    {
        using AdapterFiles adapter = AdapterFiles.Peft();
        adapter.Config["target_modules"] = new System.Text.Json.Nodes.JsonArray("up_proj");
        foreach (int expert in (int[])[0, 2])
        {
            adapter.AddPair(FormattableString.Invariant($"{Experts}.{expert}.up_proj"));
        }

        string path = adapter.Write();
        string model = adapter.WriteBase("""{ "model_type": "qwen3_moe", "hidden_size": 4, "num_hidden_layers": 1, "num_experts": 3, "tie_word_embeddings": false }""");
        Assert.Equal([RefusalCategory.MissingTensors], AdapterFiles.Refusals(() => AdapterFiles.Plan(path, baseModel: model)));
        using ConversionPlan plan = AdapterFiles.Plan(path, baseModel: model, options: new ConversionOptions { AllowLoss = [RefusalCategory.MissingTensors] });
        Assert.Equal(["MissingTensors"], plan.Summary.Losses);
        adapter.Config["target_modules"] = @"model\.layers\.0\.mlp\.experts\.[02]\.up_proj";
        using ConversionPlan asked = AdapterFiles.Plan(adapter.Write(), baseModel: model);
        Assert.Empty(asked.Summary.Losses);
    }

    [Fact]
    public void AModuleThatIsSavedWholeIsNotMissed()
    {
        using AdapterFiles adapter = AdapterFiles.Peft("\"modules_to_save\": [\"lm_head\"]").AddPair("base_model.model.model.layers.0.self_attn.q_proj")
            .Add("base_model.model.lm_head.weight", 9, 4);
        adapter.Config["target_modules"] = new System.Text.Json.Nodes.JsonArray("q_proj", "lm_head");
        string model = adapter.WriteBase(
            """{ "model_type": "llama", "hidden_size": 4, "num_hidden_layers": 1, "vocab_size": 9, "tie_word_embeddings": false }""",
            ("model.layers.0.self_attn.q_proj.weight", [6, 4]), ("lm_head.weight", [9, 4]));
        using ConversionPlan plan = AdapterFiles.Plan(
            adapter.Write(), baseModel: model, options: new ConversionOptions { AllowLoss = [Sway.Adapters.RefusalCategory.ModulesToSave] });
        Assert.Equal(1, plan.Summary.ModuleCount);
        Assert.Equal(["ModulesToSave"], plan.Summary.Losses);
    }

    private static AdapterFiles Adapter(params string[] parameters)
    {
        AdapterFiles adapter = AdapterFiles.Peft("\"peft_version\": \"0.19.1\"");
        adapter.Config["target_modules"] = new System.Text.Json.Nodes.JsonArray();
        adapter.Config["target_parameters"] = new System.Text.Json.Nodes.JsonArray([.. parameters.Select(name => System.Text.Json.Nodes.JsonValue.Create(name))]);
        return adapter;
    }

    private static string Base(AdapterFiles adapter, string transformers) => adapter.WriteBase(
        $$"""{ "model_type": "gpt_oss", "hidden_size": {{Hidden}}, "num_hidden_layers": 1, "num_local_experts": {{Count}}, "transformers_version": "{{transformers}}" }""");

    private static double[] Tensor(ConversionPlan plan, string name) =>
        plan.Tensors.Single(tensor => tensor.Name == "model.layers.0.mlp.experts." + name).Value.ToDoubleArray();
}
