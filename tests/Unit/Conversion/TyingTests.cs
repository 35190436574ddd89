using Sway.Adapters;
using Sway.Architectures;
using Sway.Conversion;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Conversion;

/// <summary>Whether head and embedding are one decides what an adapter of either means; the libraries' defaults differ.</summary>
public sealed class TyingTests
{
    private const string Table = "base_model.model.model.embed_tokens";

    [Theory]
    [InlineData("llama", "", null)]
    [InlineData("qwen2", "", null)]
    [InlineData("llama", ", \"tie_word_embeddings\": true", true)]
    [InlineData("llama", ", \"tie_word_embeddings\": false", false)]
    [InlineData("gemma2", "", true)]
    [InlineData("starcoder2", "", true)]
    [InlineData("mixtral", "", false)]
    [InlineData("gemma3", ", \"tie_word_embeddings\": true, \"text_config\": { \"tie_word_embeddings\": false }", true)]
    [InlineData("qwen2_5_vl", ", \"tie_word_embeddings\": false, \"text_config\": { }", null)]
    [InlineData("qwen2_5_vl", ", \"tie_word_embeddings\": true, \"text_config\": { \"tie_word_embeddings\": false }", null)]
    [InlineData("qwen2_5_vl", ", \"text_config\": { \"tie_word_embeddings\": false }", false)]
    [InlineData("mistral3", ", \"tie_word_embeddings\": false, \"text_config\": { }", false)]
    public void ConfigurationAndDefaultsDecide(string modelType, string fields, bool? expected)
    {
        using AdapterFiles adapter = AdapterFiles.Peft();
        using BaseModel model = BaseModel.Open(adapter.WriteBase($$"""{ "model_type": "{{modelType}}"{{fields}} }"""));
        Assert.Equal(expected, model.Tying);
    }

    [Fact]
    public void AHeadIsRefusedWhereTyingIsNotKnown()
    {
        using AdapterFiles adapter = AdapterFiles.Peft().AddPair("base_model.model.lm_head", outputs: 9);
        string path = adapter.Write();
        Assert.Equal([RefusalCategory.TiedHead], AdapterFiles.Refusals(() => AdapterFiles.Plan(path, baseModel: Base(adapter, "llama", ""))));
        using ConversionPlan plan = AdapterFiles.Plan(path, baseModel: Base(adapter, "llama", ", \"tie_word_embeddings\": false"));
        Assert.Equal(1, plan.Summary.ModuleCount);
    }

    [Fact]
    public void AnEmbeddingIsRefusedWhereTyingIsNotKnown()
    {
        using AdapterFiles adapter = AdapterFiles.Peft().Add(Table + ".lora_embedding_A", 2, 9).Add(Table + ".lora_embedding_B", 4, 2);
        Assert.Equal([RefusalCategory.TiedEmbedding], AdapterFiles.Refusals(() => AdapterFiles.Plan(adapter.Write(), baseModel: Base(adapter, "qwen2", ""))));
    }

    [Theory]
    [InlineData("gemma2", "model.embed_tokens", "model.embed_tokens")]
    [InlineData("lfm2_vl", "model.language_model.embed_tokens", "language_model.model.embed_tokens")]
    [InlineData("starcoder2", "model.embed_tokens", "model.embed_tokens")]
    public void TheMirroredPairConvertsWhereTheModelHasNoHeadAtAll(string modelType, string path, string expected)
    {
        string table = "base_model.model." + path;
        using AdapterFiles adapter = AdapterFiles.Peft().Add(table + ".lora_embedding_A", 2, 9).Add(table + ".lora_embedding_B", 4, 2);
        adapter.Add("base_model.model.lm_head.lora_A.weight", adapter[table + ".lora_embedding_B"].Transpose());
        adapter.Add("base_model.model.lm_head.lora_B.weight", adapter[table + ".lora_embedding_A"].Transpose());
        using ConversionPlan plan = AdapterFiles.Plan(adapter.Write(), baseModel: Base(adapter, modelType, ""));
        Assert.Equal([expected + ".lora_a", expected + ".lora_b"], plan.Tensors.Select(tensor => tensor.Name));
    }

    [Fact]
    public void AnMlxHeadIsRefusedWhereTyingIsNotKnown()
    {
        using AdapterFiles adapter = AdapterFiles.Mlx().AddMlxPair("lm_head", outputs: 9);
        Assert.Contains(RefusalCategory.TiedEmbedding, AdapterFiles.Refusals(() => AdapterFiles.Plan(adapter.Write(), ConversionTarget.Peft, Base(adapter, "llama", ""))));
    }

    private static string Base(AdapterFiles adapter, string modelType, string fields) => adapter.WriteBase(
        $$"""{ "model_type": "{{modelType}}", "hidden_size": 4, "num_hidden_layers": 2, "vocab_size": 9{{fields}} }""");
}
