using Sway.Architectures;

namespace Sway.Inference.Models;

/// <summary>The architectures that Sway computes, by model type.</summary>
public static class ModelRegistry
{
    private static readonly Dictionary<string, Func<ModelFamily, DecoderSpec>> s_models = new(StringComparer.Ordinal)
    {
        ["llama"] = LlamaModels.Llama,
        ["mistral"] = LlamaModels.Mistral,
        ["qwen2"] = LlamaModels.Qwen2,
        ["qwen3"] = LlamaModels.Qwen3,
        ["smollm3"] = LlamaModels.SmolLm3,
        ["granite"] = LlamaModels.Granite,
        ["olmo2"] = LlamaModels.Olmo2,
        ["phi3"] = FusedModels.Phi3,
        ["glm4"] = FusedModels.Glm4,
        ["gpt2"] = FusedModels.Gpt2,
        ["gpt_neox"] = FusedModels.GptNeoX,
        ["gemma"] = GemmaModels.Gemma,
        ["gemma2"] = GemmaModels.Gemma2,
        ["gemma3_text"] = GemmaModels.Gemma3,
        ["cohere"] = LayerNormModels.Cohere,
        ["cohere2"] = LayerNormModels.Cohere2,
        ["phi"] = LayerNormModels.Phi,
        ["starcoder2"] = LayerNormModels.StarCoder2,
        ["stablelm"] = LayerNormModels.StableLm,
        ["mixtral"] = ExpertModels.Mixtral,
        ["qwen2_moe"] = ExpertModels.Qwen2Moe,
        ["qwen3_moe"] = ExpertModels.Qwen3Moe,
        ["olmoe"] = ExpertModels.Olmoe,
        ["granitemoe"] = ExpertModels.GraniteMoe,
        ["gpt_oss"] = ExpertModels.GptOss,
        ["llama4_text"] = ExpertModels.Llama4,
        ["deepseek_v2"] = LatentModels.DeepSeekV2,
        ["deepseek_v3"] = LatentModels.DeepSeekV3,
        ["lfm2"] = HybridModels.Lfm2,
        ["qwen3_5_text"] = HybridModels.Qwen35,
    };

    /// <summary>The model types that are computed.</summary>
    public static IEnumerable<string> ModelTypes => s_models.Keys.Order(StringComparer.Ordinal);

    /// <summary>A prefix of module paths that some checkpoints of an architecture leave out, or null.</summary>
    public static string? OptionalPrefix(string modelType) =>
        string.Equals(modelType, "gpt2", StringComparison.Ordinal) ? "transformer." : null;

    /// <summary>What a model computes.</summary>
    /// <param name="config">Its configuration.</param>
    /// <param name="hasTensor">Whether its weights hold a tensor of a name: some checkpoints name parts differently.</param>
    /// <exception cref="UnsupportedModelException">The model type, or a value that changes numbers, is unknown.</exception>
    public static DecoderSpec Describe(ModelConfig config, Func<string, bool> hasTensor)
    {
        if (!s_models.TryGetValue(config.ModelType, out var make))
        {
            throw new UnsupportedModelException($"{config.Path}: the architecture \"{config.ModelType}\" is not supported.");
        }

        try
        {
            return make(new ModelFamily(config, hasTensor));
        }
        catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException or ArithmeticException or InvalidOperationException)
        {
            // Lists shorter than the layers, divisors of zero and the like: each architecture reads its own fields.
            throw new UnsupportedModelException($"{config.Path}: the fields of this {config.ModelType} do not fit together ({e.Message})", e);
        }
    }
}
