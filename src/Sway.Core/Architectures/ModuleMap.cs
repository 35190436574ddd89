namespace Sway.Architectures;

/// <summary>A Hugging Face module found in a map.</summary>
/// <param name="Rule">The line of the map.</param>
/// <param name="Path">The path in the map's own naming.</param>
/// <param name="Layer">The layer's number, or -1.</param>
/// <param name="Expert">The expert's number, or -1.</param>
public readonly record struct ModuleMatch(ModuleRule Rule, string Path, int Layer, int Expert);

/// <summary>Where the modules of one architecture are in Hugging Face's and in mlx-lm's model.</summary>
public sealed class ModuleMap
{
    /// <summary>Joins the rules of a model type.</summary>
    public ModuleMap(string modelType, IReadOnlyList<ModuleRule> rules, bool? tiedByDefault, bool loadable)
    {
        ModelType = modelType;
        Rules = rules;
        TiedByDefault = tiedByDefault;
        Loadable = loadable;
    }

    /// <summary>The <c>model_type</c> of config.json.</summary>
    public string ModelType { get; }

    /// <summary>The lines of the map.</summary>
    public IReadOnlyList<ModuleRule> Rules { get; }

    /// <summary>Whether head and embedding are one where the configuration does not say; null where transformers and mlx-lm
    /// do not take the same for granted.</summary>
    public bool? TiedByDefault { get; }

    /// <summary>Whether mlx-lm's model has a head of its own, when it is not tied.</summary>
    public bool HasHead => Rules.Any(rule => rule.MlxPath is { } path
        && (path is "lm_head" || path.EndsWith(".lm_head", StringComparison.Ordinal) || path.EndsWith("embed_out", StringComparison.Ordinal)));

    /// <summary>Whether mlx-lm can load a checkpoint of this type that transformers writes.</summary>
    public bool Loadable { get; }

    /// <summary>
    /// Finds a module by its Hugging Face path, in any of the ways that versions and classes of transformers write it
    /// (without head, with the language model at the root, under its older name). Several rules mean several parts.
    /// </summary>
    /// <param name="path">The module's path, without PEFT's prefix.</param>
    /// <returns>The rules of the first way that is known; empty when none is.</returns>
    public IReadOnlyList<ModuleMatch> Find(string path)
    {
        foreach (string candidate in Spellings(path))
        {
            var found = new List<ModuleMatch>();
            foreach (ModuleRule rule in Rules)
            {
                if (rule.Matches(candidate, out int layer, out int expert))
                {
                    found.Add(new ModuleMatch(rule, candidate, layer, expert));
                }
            }

            if (found.Count > 0)
            {
                return found;
            }
        }

        return [];
    }

    /// <summary>Finds the parameters of a module that owns bare parameters (experts, routers), in the map's order.</summary>
    public IReadOnlyList<ModuleMatch> FindParameters(string ownerPath)
    {
        foreach (string candidate in Spellings(ownerPath))
        {
            var found = new List<ModuleMatch>();
            foreach (ModuleRule rule in Rules)
            {
                int dot = rule.HuggingFacePath.LastIndexOf('.');
                if (dot > 0 && (rule.IsParameter || rule.Layout != ExpertLayout.None || rule.Unmappable is not null)
                    && ModulePath.Match(rule.HuggingFacePath[..dot], candidate, out int layer, out int expert))
                {
                    found.Add(new ModuleMatch(rule, ModulePath.Fill(rule.HuggingFacePath, layer, expert), layer, expert));
                }
            }

            if (found.Count > 0)
            {
                return found;
            }
        }

        return [];
    }

    /// <summary>Finds the Hugging Face modules that make up an mlx-lm module.</summary>
    public IReadOnlyList<ModuleMatch> FindMlx(string mlxPath)
    {
        var found = new List<ModuleMatch>();
        foreach (ModuleRule rule in Rules)
        {
            if (rule.MlxPath is not null && ModulePath.Match(rule.MlxPath, mlxPath, out int layer, out int expert))
            {
                found.Add(new ModuleMatch(rule, ModulePath.Fill(rule.HuggingFacePath, layer, expert), layer, expert));
            }
        }

        return found;
    }

    private static IEnumerable<string> Spellings(string path)
    {
        const string Nested = "model.language_model.";
        const string Older = "language_model.model.";
        yield return path;
        if (path.StartsWith(Older, StringComparison.Ordinal))
        {
            yield return Nested + path[Older.Length..];
        }
        else if (path.StartsWith("language_model.lm_head", StringComparison.Ordinal))
        {
            yield return path["language_model.".Length..];
        }
        else if (path.StartsWith("language_model.", StringComparison.Ordinal))
        {
            yield return "model." + path;
        }
        else if (path.StartsWith(Nested, StringComparison.Ordinal))
        {
            yield return Older + path[Nested.Length..];
            yield return "model." + path[Nested.Length..];
        }
        else if (path.StartsWith("model.", StringComparison.Ordinal))
        {
            yield return Nested + path["model.".Length..];
            yield return Older + path["model.".Length..];
        }
        else
        {
            yield return "model." + path;
            yield return "transformer." + path;
            yield return "gpt_neox." + path;
            yield return "backbone." + path;
            yield return Nested + path;
            yield return Older + path;
            yield return "language_model." + path;
        }
    }
}
