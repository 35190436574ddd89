using System.Globalization;

namespace Sway.Adapters.Peft;

/// <summary>Which way PEFT packed the factors of expert parameters, where their shapes do not tell.</summary>
internal static class PackedLayout
{
    /// <summary>
    /// Whether PEFT below 0.19 packed the factors; null where the file does not tell. An adapter that a newer one saved again keeps the old
    /// version number but has bare parameter names and a doubled rank for the fused projection.
    /// </summary>
    public static bool? IsOld(LoraAdapter adapter)
    {
        bool bare = adapter.Config.TryGetProperty("target_parameters", out var targets) && targets.ValueKind == System.Text.Json.JsonValueKind.Array
            && targets.EnumerateArray().Any(target => target.GetString() is { } name && !name.Contains('.', StringComparison.Ordinal));
        bool rewritten = adapter.Config.TryGetProperty("rank_pattern", out var ranks) && ranks.ValueKind == System.Text.Json.JsonValueKind.Object
            && ranks.TryGetProperty(@".*\.gate_up_proj", out _);
        string? text = adapter.Config.TryGetProperty("peft_version", out var recorded) && recorded.ValueKind == System.Text.Json.JsonValueKind.String ? recorded.GetString() : null;
        string[] parts = text?.Split('.', '+', '@') ?? [];
        bool known = parts.Length >= 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out _)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out _);
        if (!known)
        {
            return bare && rewritten ? false : null;
        }

        bool old = int.Parse(parts[0], CultureInfo.InvariantCulture) == 0 && int.Parse(parts[1], CultureInfo.InvariantCulture) < 19;
        return (old, bare && rewritten, bare || rewritten) switch
        {
            (false, _, _) => false,
            (true, true, _) => false,
            (true, false, false) => true,
            _ => null,
        };
    }
}
