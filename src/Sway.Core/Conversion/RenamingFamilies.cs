using System.Text.Json;
using System.Text.RegularExpressions;
using Sway.Adapters;

namespace Sway.Conversion;

/// <summary>
/// Families in which names that look common mean something else on the other side: modules nested one level deeper, fused,
/// rescaled on loading, or not adaptable. Without the base at hand, its recorded name is all that tells them.
/// </summary>
internal static partial class RenamingFamilies
{
    private static readonly string[] s_names =
    [
        "qwen3.5", "qwen3_5", "qwen3-5", "falcon-h1", "falcon_h1", "falconh1", "granite-4", "granite4", "gemma-3n", "gemma3n", "gemma-4", "gemma4", "bitnet",
        "llama-4", "llama4", "llava", "pixtral", "internvl", "kimi-k2.5", "kimi_k25", "mistral-small-3.1", "mistral-small-3.2",
        "gemma-3-4b", "gemma-3-12b", "gemma-3-27b", "conditionalgeneration", "imagetexttotext",
    ];

    /// <summary>The recorded name that belongs to such a family; null when none does.</summary>
    public static string? Of(LoraAdapter adapter) =>
        new[] { adapter.BaseModelName, Mapped(adapter, "base_model_class"), Mapped(adapter, "parent_library") }
            .FirstOrDefault(name => name is not null && Betrays(name));

    private static bool Betrays(string name) =>
        s_names.Any(part => name.Contains(part, StringComparison.OrdinalIgnoreCase)) || VisionWord().IsMatch(name);

    [GeneratedRegex(@"(?i)(\A|[-_./0-9])vl(\z|[-_./0-9])", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex VisionWord();

    /// <summary>A field of PEFT's auto_mapping, which names the class that was trained.</summary>
    private static string? Mapped(LoraAdapter adapter, string field) =>
        adapter.Config.ValueKind == JsonValueKind.Object && adapter.Config.TryGetProperty("auto_mapping", out JsonElement mapping)
        && mapping.ValueKind == JsonValueKind.Object && mapping.TryGetProperty(field, out JsonElement value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;
}
