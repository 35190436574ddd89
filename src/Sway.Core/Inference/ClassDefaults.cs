namespace Sway.Inference;

/// <summary>
/// What a configuration means by saying nothing: the defaults of transformers' configuration classes (version 5), where they differ from
/// what most classes have.
/// </summary>
internal static class ClassDefaults
{
    /// <summary>The longest sequence.</summary>
    public static int MaxPositions(string modelType) => modelType switch
    {
        "mistral" or "mixtral" or "glm4" or "gemma3_text" or "gpt_oss" or "llama4_text" => 131072,
        "lfm2" => 128000,
        "qwen2" or "qwen3" or "qwen2_moe" or "qwen3_moe" or "qwen3_5_text" or "smollm3" => 32768,
        "gemma" or "gemma2" or "cohere" or "cohere2" => 8192,
        "olmoe" or "phi3" or "starcoder2" or "stablelm" or "deepseek_v3" => 4096,
        _ => 2048,
    };

    /// <summary>The longest sequence before the rotary scaling; it then counts more than the scaling's own field.</summary>
    public static int? OriginalPositions(string modelType) => modelType is "phi3" ? 4096 : null;

    /// <summary>The epsilon of RMS norms.</summary>
    public static double RmsEpsilon(string modelType) => modelType switch
    {
        "glm4" => 1.5625e-7,
        "mixtral" or "olmo2" or "olmoe" or "phi3" or "llama4_text" or "gpt_oss" => 1e-5,
        _ => 1e-6,
    };

    /// <summary>Heads of keys and values; null where it is as many as of queries.</summary>
    public static int? KeyHeads(string modelType) => modelType switch
    {
        "qwen2" or "qwen3" or "stablelm" => 32,
        "gemma" or "qwen2_moe" => 16,
        "mistral" or "mixtral" or "gpt_oss" or "llama4_text" or "lfm2" => 8,
        "gemma2" or "gemma3_text" or "smollm3" or "qwen3_moe" or "qwen3_5_text" => 4,
        "glm4" or "starcoder2" => 2,
        _ => null,
    };

    /// <summary>Dimensions of a head; null where the width of the residual stream is divided among the heads.</summary>
    public static int? HeadSize(string modelType) => modelType switch
    {
        "gemma" or "gemma2" or "gemma3_text" or "qwen3_5_text" => 256,
        "qwen3" or "glm4" or "llama4_text" => 128,
        "gpt_oss" => 64,
        _ => null,
    };
}
