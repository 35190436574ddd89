using Sway.Adapters;
using Sway.Conversion;
using Sway.Unit.Support;

namespace Sway.Unit.Conversion;

/// <summary>PEFT adapters whose files contradict each other or leave something open: refused, or read as PEFT reads them.</summary>
public sealed class PeftContradictionTests
{
    private const string Layer0 = "base_model.model.model.layers.0.self_attn.q_proj";
    private const string Layer1 = "base_model.model.model.layers.1.self_attn.q_proj";

    [Fact]
    public void AnAdapterThatIsNotThereIsNotTakenForAnother()
    {
        using AdapterFiles named = AdapterFiles.Peft().AddPair(Layer0, ".sql.weight");
        string path = named.Write();
        using (AdapterFiles.Plan(path, options: new ConversionOptions { AdapterName = "sql" }))
        {
        }

        Assert.Contains(RefusalCategory.AmbiguousAdapterName, AdapterFiles.Refusals(() => AdapterFiles.Plan(path, options: new ConversionOptions { AdapterName = "chat" })));
        using AdapterFiles unnamed = AdapterFiles.Peft().AddPair(Layer0);
        Assert.Contains(
            RefusalCategory.AmbiguousAdapterName,
            AdapterFiles.Refusals(() => AdapterFiles.Plan(unnamed.Write(), options: new ConversionOptions { AdapterName = "chat" })));
    }

    [Fact]
    public void ANamedSubfolderIsTakenBesideAnAdapterInTheFolderItself()
    {
        using AdapterFiles adapter = AdapterFiles.Peft().AddPair(Layer0);
        string root = adapter.Write();
        adapter.Config["lora_alpha"] = 16;
        string inner = adapter.Write(Path.Combine("adapter", "sql"));
        using ConversionPlan plan = AdapterFiles.Plan(root, options: new ConversionOptions { AdapterName = "sql" });
        Assert.Equal(inner, plan.Summary.Source);
        Assert.Equal(8, plan.Summary.Scale);
        using ConversionPlan outer = AdapterFiles.Plan(root);
        Assert.Equal(2, outer.Summary.Scale);
    }

    [Fact]
    public void FactorsWithAndWithoutANameAreTwoAdapters()
    {
        using AdapterFiles adapter = AdapterFiles.Peft().AddPair(Layer0).AddPair(Layer1, ".other.weight");
        string path = adapter.Write();
        Assert.Contains(RefusalCategory.AmbiguousAdapterName, AdapterFiles.Refusals(() => AdapterFiles.Plan(path)));
        using ConversionPlan plan = AdapterFiles.Plan(path, options: new ConversionOptions { AdapterName = "default", AllowLoss = [RefusalCategory.MissingTensors] });
        Assert.Equal(["model.layers.0.self_attn.q_proj.lora_a", "model.layers.0.self_attn.q_proj.lora_b"], plan.Tensors.Select(tensor => tensor.Name));
    }

    [Fact]
    public void MagnitudesWithoutUseDoraAreRefused()
    {
        using AdapterFiles adapter = AdapterFiles.Peft("\"use_dora\": false").AddPair(Layer0).Add(Layer0 + ".lora_magnitude_vector", 6);
        Assert.Contains(RefusalCategory.BadConfig, AdapterFiles.Refusals(() => AdapterFiles.Plan(adapter.Write())));
        adapter.Config["use_dora"] = true;
        using ConversionPlan plan = AdapterFiles.Plan(adapter.Write());
        Assert.Equal("dora", plan.Summary.Method);
    }

    [Fact]
    public void AnEmbeddingThatLacksItsMagnitudeIsRefused()
    {
        using AdapterFiles adapter = AdapterFiles.Peft("\"use_dora\": true");
        adapter.Add("base_model.model.model.embed_tokens.lora_embedding_A", 2, 9).Add("base_model.model.model.embed_tokens.lora_embedding_B", 4, 2);
        string baseModel = adapter.WriteBase("""{ "model_type": "llama", "hidden_size": 4, "num_hidden_layers": 2, "vocab_size": 9, "tie_word_embeddings": false }""");
        Assert.Contains(RefusalCategory.MissingPair, AdapterFiles.Refusals(() => AdapterFiles.Plan(adapter.Write(), baseModel: baseModel)));
    }

    [Theory]
    [InlineData("\"modules_to_save\": [\"lm_head\"]")]
    [InlineData("\"modules_to_save\": [\"classifier\", \"score\"]")]
    [InlineData("\"trainable_token_indices\": [1, 2]")]
    [InlineData("\"trainable_token_indices\": { \"embed_tokens\": [3] }")]
    [InlineData("\"target_parameters\": [\"mlp.experts.gate_up_proj\"]")]
    public void WhatTheConfigurationSaysWasTrainedAndTheFileLacksIsRefused(string option)
    {
        using AdapterFiles adapter = AdapterFiles.Peft(option).AddPair(Layer0);
        string path = adapter.Write();
        Assert.Contains(RefusalCategory.MissingTensors, AdapterFiles.Refusals(() => AdapterFiles.Plan(path)));
        using ConversionPlan plan = AdapterFiles.Plan(path, options: new ConversionOptions { AllowLoss = [RefusalCategory.MissingTensors] });
        Assert.Equal(["MissingTensors"], plan.Summary.Losses);
    }

    [Theory]
    [InlineData("\"modules_to_save\": []")]
    [InlineData("\"modules_to_save\": null")]
    [InlineData("\"trainable_token_indices\": []")]
    [InlineData("\"target_parameters\": [\"self_attn.q_proj.weight\"]")]
    public void WhatTheConfigurationLeavesEmptyOrTheFileHoldsIsNotMissed(string option)
    {
        using AdapterFiles adapter = AdapterFiles.Peft(option).AddPair(Layer0);
        using ConversionPlan plan = AdapterFiles.Plan(adapter.Write());
        Assert.Empty(plan.Summary.Losses);
    }

    [Theory]
    [InlineData("[\"lm_head\"]", true)]
    [InlineData("[\"layers.1.self_attn.q_proj\"]", false)]
    [InlineData("[\"q_proj\"]", false)]
    [InlineData("\".*layers\\\\.1\\\\..*\"", false)]
    [InlineData("\"layers\\\\.1\\\\..*\"", true)]
    [InlineData("[]", true)]
    public void AModuleThatIsMissingIsMissedUnlessItWasLeftOut(string exclude, bool missed)
    {
        using AdapterFiles adapter = AdapterFiles.Peft($"\"exclude_modules\": {exclude}").AddPair(Layer0).AddPair("base_model.model.model.layers.2.self_attn.q_proj");
        adapter.Config["target_modules"] = new System.Text.Json.Nodes.JsonArray("q_proj");
        string path = adapter.Write();
        if (missed)
        {
            Assert.Contains(RefusalCategory.MissingTensors, AdapterFiles.Refusals(() => AdapterFiles.Plan(path, baseModel: Base(adapter))));
            return;
        }

        using ConversionPlan plan = AdapterFiles.Plan(path, baseModel: Base(adapter));
        Assert.Equal(2, plan.Summary.ModuleCount);

        static string Base(AdapterFiles adapter) => adapter.WriteBase(
            """{ "model_type": "llama", "hidden_size": 4, "num_hidden_layers": 3, "vocab_size": 9, "tie_word_embeddings": false }""",
            ("model.layers.0.self_attn.q_proj.weight", [6, 4]), ("model.layers.1.self_attn.q_proj.weight", [6, 4]),
            ("model.layers.2.self_attn.q_proj.weight", [6, 4]));
    }

    [Fact]
    public void AnOptionThatNobodyKnowsIsNamed()
    {
        using AdapterFiles adapter = AdapterFiles.Peft("\"warp_factor\": 3, \"revision\": \"main\"").AddPair(Layer0);
        using ConversionPlan plan = AdapterFiles.Plan(adapter.Write());
        Assert.Contains(plan.Summary.Warnings, warning => warning.Contains("(warp_factor)", StringComparison.Ordinal));
    }

    [Fact]
    public void BackReferencesInPatternsCountPeftsOwnGroups()
    {
        // re.match(r"(.*\.)?(KEY)$", path): the key's first group is the third.
        using AdapterFiles adapter = AdapterFiles.Peft("""
            "alpha_pattern": { "layers\\.(.)\\.self_attn\\.q_proj(?!\\3)|(mlp)": 8 }
            """).AddPair(Layer0);
        using ConversionPlan plan = AdapterFiles.Plan(adapter.Write());
        Assert.Equal(4, plan.Summary.Scale);
    }

    [Fact]
    public void AnInitialAdapterForAPlainInitialisationIsRefused()
    {
        using AdapterFiles adapter = AdapterFiles.Peft("\"init_lora_weights\": true").AddPair(Layer0);
        string path = adapter.Write();
        Assert.Contains(RefusalCategory.MutatedBase, AdapterFiles.Refusals(() => AdapterFiles.Plan(path, options: new ConversionOptions { InitialAdapter = path })));
    }

    [Theory]
    [InlineData("Qwen/Qwen2-VL-7B-Instruct")]
    [InlineData("google/gemma-3-4b-it")]
    [InlineData("tiiuae/Falcon-H1-0.5B")]
    [InlineData("meta-llama/Llama-4-Scout-17B-16E")]
    public void CommonNamesOfAFamilyThatRenamesNeedTheBase(string name)
    {
        using AdapterFiles adapter = AdapterFiles.Peft($"\"base_model_name_or_path\": \"{name}\"").AddPair(Layer0);
        Assert.Contains(RefusalCategory.NeedsBase, AdapterFiles.Refusals(() => AdapterFiles.Plan(adapter.Write())));
    }

    [Fact]
    public void TheClassThatWasTrainedNeedsTheBaseToo()
    {
        using AdapterFiles adapter = AdapterFiles.Peft("""
            "base_model_name_or_path": "some/model", "auto_mapping": { "base_model_class": "Qwen2VLForConditionalGeneration" }
            """).AddPair(Layer0);
        Assert.Contains(RefusalCategory.NeedsBase, AdapterFiles.Refusals(() => AdapterFiles.Plan(adapter.Write())));
    }
}
