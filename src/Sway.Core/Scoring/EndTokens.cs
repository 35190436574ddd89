using Sway.Architectures;

namespace Sway.Scoring;

/// <summary>The tokens that end a generated text, as transformers' <c>generate</c> takes them.</summary>
public static class EndTokens
{
    /// <summary>
    /// Those of generation_config.json; where it names none, those of config.json; where that names none, what the tokenizer calls its
    /// end.
    /// </summary>
    /// <param name="model">The model's folder.</param>
    /// <param name="config">Its config.json.</param>
    /// <param name="tokenizerEnd">The end token that the tokenizer names, or null.</param>
    /// <exception cref="AdapterFormatException">generation_config.json is not a JSON object.</exception>
    public static IReadOnlySet<int> Of(string model, ModelConfig config, int? tokenizerEnd)
    {
        if (ModelConfig.LoadFields(model, "generation_config.json", config.ModelType)?.IntOrInts("eos_token_id") is { Count: > 0 } own)
        {
            return own.ToHashSet();
        }

        var named = config.IntOrInts("eos_token_id");
        return named.Count > 0 ? named.ToHashSet() : tokenizerEnd is { } end ? new HashSet<int> { end } : new HashSet<int>();
    }
}
