namespace Sway.Adapters.Peft;

/// <summary>
/// Parts that the configuration says were trained and of which the file holds nothing: PEFT goes on with the base's values in their
/// place and only warns, so that the adapter would be weaker without a word.
/// </summary>
internal static class PeftDeclaredParts
{
    /// <summary>What is missing.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="modules">The factors of the file.</param>
    /// <param name="extras">Everything else in it.</param>
    public static IEnumerable<Refusal> Missing(PeftConfig config, IReadOnlyList<LoraModule> modules, IReadOnlyList<AdapterExtra> extras)
    {
        // A list may name modules that the model does not have (PEFT adds the usual heads for tasks), so one of them is enough.
        if (config.Strings("modules_to_save") is { Count: > 0 } saved
            && !saved.Any(name => extras.Any(extra => Covers(extra.Path, name)) || modules.Any(module => Covers(module.Path, name))))
        {
            yield return Lost("modules_to_save names whole modules, and the file holds the weights of none.", saved);
        }

        if (config.IsSet("trainable_token_indices") && !extras.Any(extra => extra.Kind == AdapterExtraKind.TokenRows))
        {
            yield return Lost("trainable_token_indices names rows that were trained, and the file holds none.", []);
        }

        // These lists, too, may name what only other versions of the model have. A name without its module is told apart nowhere.
        if (config.Strings("target_parameters") is { Count: > 0 } parameters
            && !parameters.Any(name => name.LastIndexOf('.') is <= 0 || modules.Any(module => Covers(module.Path, name[..name.LastIndexOf('.')]))))
        {
            yield return Lost("target_parameters names parameters, and the file holds factors of none.", parameters);
        }
    }

    /// <summary>Whether a path is that module or a part of it, however much of the path the name gives.</summary>
    private static bool Covers(string path, string name) => $".{path}.".Contains($".{name}.", StringComparison.Ordinal);

    private static Refusal Lost(string reason, IReadOnlyList<string> names) => new(RefusalCategory.MissingTensors, reason) { Modules = names };
}
