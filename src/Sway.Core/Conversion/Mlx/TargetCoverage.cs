using System.Text.Json;
using System.Text.RegularExpressions;
using Sway.Adapters;
using Sway.Adapters.Peft;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Conversion.Mlx;

/// <summary>
/// Compares what the configuration targets with what the file holds. PEFT only warns about a missing module and goes on with
/// fresh factors; a file that lost one would be silently weaker.
/// </summary>
internal static class TargetCoverage
{
    public static void Check(MlxResolution resolution)
    {
        LoraAdapter adapter = resolution.Adapter;
        if (adapter.Format != AdapterFormat.Peft || adapter.Method != "LORA" || IsSet(adapter.Config, "use_bdlora")
            || (adapter.Config.TryGetProperty("init_lora_weights", out JsonElement init) && init.ValueKind == JsonValueKind.String && init.GetString() == "eva"))
        {
            return;
        }

        // What a pattern leaves out that only Python reads is not known; then nothing can be said to be missing.
        Func<string, bool>? excluded = IsSet(adapter.Config, "exclude_modules") ? Matcher(adapter.Config, "exclude_modules") : static _ => false;
        if (Matcher(adapter.Config, "target_modules") is not { } targeted || excluded is null)
        {
            return;
        }

        try
        {
            IEnumerable<string> expected = resolution.Base?.Map is { } map && resolution.Base.Weights is { } weights ? FromBase(adapter, map, weights)
                : resolution.Base?.Map is not { } known || IsUniform(known) ? FromSiblings(adapter)
                : [];
            string[] missing = [.. expected.Concat(resolution.Base is { Map: not null } model ? FromExperts(adapter, model) : [])
                .Where(path => targeted(path) && !excluded(path) && InChosenLayers(adapter.Config, path) && !IsSaved(adapter.Config, path))];
            if (missing.Length > 0)
            {
                resolution.RefuseOrLeaveOut(
                    RefusalCategory.MissingTensors, "The configuration targets modules that have no tensors in the file.", null, missing);
            }
        }
        catch (RegexMatchTimeoutException)
        {
            resolution.Refusals.Add(RefusalCategory.BadConfig, "target_modules or exclude_modules is a pattern that backtracks without end.");
        }
    }

    private static IEnumerable<string> FromBase(LoraAdapter adapter, ModuleMap map, TensorFile weights)
    {
        var held = adapter.Modules.SelectMany(module => map.Find(module.Path).Select(match => match.Path).Append(module.Path)).ToHashSet(StringComparer.Ordinal);
        foreach (TensorInfo tensor in weights.Tensors)
        {
            if (!tensor.Name.EndsWith(".weight", StringComparison.Ordinal) || tensor.Shape.Length != 2)
            {
                continue;
            }

            string path = tensor.Name[..^".weight".Length];
            ModuleMatch match = map.Find(path) is [var first, ..] ? first : default;
            bool ordinary = match.Rule is { Unmappable: null, IsParameter: false, IsPerExpert: false, Layout: ExpertLayout.None };
            if (ordinary && !held.Contains(match.Path) && !held.Contains(path))
            {
                yield return match.Path;
            }
        }
    }

    /// <summary>Where the experts are modules, one that is adapted has all others of its layer beside it.</summary>
    private static IEnumerable<string> FromExperts(LoraAdapter adapter, BaseModel model)
    {
        ModuleMatch[] held = [.. adapter.Modules.SelectMany(module => model.Map!.Find(module.Path)).Where(match => match.Rule.IsPerExpert)];
        return held.GroupBy(match => (match.Rule, match.Layer)).SelectMany(layer => Enumerable.Range(0, model.ExpertCount ?? 0)
            .Except(layer.Select(match => match.Expert)).Select(expert => ModulePath.Fill(layer.Key.Rule.HuggingFacePath, layer.Key.Layer, expert)));
    }

    /// <summary>Modules that are trained and saved whole get no factors.</summary>
    private static bool IsSaved(JsonElement config, string path) =>
        config.TryGetProperty("modules_to_save", out JsonElement saved) && saved.ValueKind == JsonValueKind.Array
        && saved.EnumerateArray().Any(item => item.ValueKind == JsonValueKind.String && $".{path}.".Contains($".{item.GetString()}.", StringComparison.Ordinal));

    /// <summary>True where every layer has the same, commonly named modules.</summary>
    private static bool IsUniform(ModuleMap map) => map.Rules.All(rule =>
        !rule.HuggingFacePath.Contains('*', StringComparison.Ordinal) || ModuleResolver.CommonPath().IsMatch(ModulePath.Fill(rule.HuggingFacePath, 0, 0)));

    /// <summary>Without the base's weights: a common decoder's module that some layers have, every layer between has.</summary>
    private static IEnumerable<string> FromSiblings(LoraAdapter adapter)
    {
        var held = adapter.Modules.Select(module => module.Path).ToHashSet(StringComparer.Ordinal);
        string[] common = [.. held.Where(path => ModuleResolver.CommonPath().IsMatch(path))];
        var layers = new SortedSet<int>();
        var names = new SortedSet<string>(StringComparer.Ordinal);
        foreach (string path in common)
        {
            ModulePath.TrySplitLayer(path, out int layer, out string relative);
            layers.Add(layer);
            names.Add(relative);
        }

        return layers.SelectMany(layer => names.Select(name => FormattableString.Invariant($"model.layers.{layer}.{name}"))).Where(path => !held.Contains(path));
    }

    /// <summary>Which paths a list of names or a pattern means, as PEFT reads either; null where that is not known.</summary>
    private static Func<string, bool>? Matcher(JsonElement config, string field)
    {
        if (!config.TryGetProperty(field, out JsonElement targets))
        {
            return null;
        }

        if (targets.ValueKind == JsonValueKind.Array)
        {
            string[] names = [.. targets.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.String).Select(item => item.GetString()!)];
            return path => names.Any(name => path == name || path.EndsWith("." + name, StringComparison.Ordinal));
        }

        if (targets.ValueKind != JsonValueKind.String || targets.GetString() == "all-linear")
        {
            return null;
        }

        try
        {
            var pattern = new PythonPattern(targets.GetString()!, whole: true);
            return pattern.Matches;
        }
        catch (ArgumentException)
        {
            return null; // Syntax that only Python reads: the tensors are the truth.
        }
    }

    private static bool InChosenLayers(JsonElement config, string path)
    {
        if (!config.TryGetProperty("layers_to_transform", out JsonElement chosen) || chosen.ValueKind == JsonValueKind.Null)
        {
            return true;
        }

        if (!ModulePath.TrySplitLayer(path, out int layer, out _))
        {
            return false;
        }

        return chosen.ValueKind == JsonValueKind.Array
            ? chosen.EnumerateArray().Any(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out int value) && value == layer)
            : chosen.ValueKind != JsonValueKind.Number || (chosen.TryGetInt32(out int single) && single == layer);
    }

    private static bool IsSet(JsonElement config, string name) =>
        config.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null && !(value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0);
}
