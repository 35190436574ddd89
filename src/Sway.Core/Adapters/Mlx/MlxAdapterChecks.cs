using Sway.Tensors;

namespace Sway.Adapters.Mlx;

/// <summary>What stands against a faithful use of an mlx-lm adapter, by its tensors and its configuration.</summary>
internal static class MlxAdapterChecks
{
    /// <summary>lora, dora or full, by the tensors rather than by the configuration.</summary>
    public static string Method(MlxTensorGroups groups, MlxAdapterConfig config)
    {
        if (groups.Modules.Count == 0)
        {
            return groups.Extras.Count > 0 ? "full" : config.FineTuneType ?? "lora";
        }

        return groups.Modules.Any(group => group.Magnitude is not null) ? "dora" : "lora";
    }

    public static IEnumerable<Refusal> Obstacles(MlxTensorGroups groups, MlxAdapterConfig config)
    {
        string[] unknown = [.. groups.Extras.Select(tensor => tensor.Name).Where(IsUnknownLoraTensor)];
        if (unknown.Length > 0)
        {
            yield return new Refusal(RefusalCategory.UnknownTensor, "Tensors look like low-rank factors but not like any that mlx-lm writes.")
            {
                Modules = unknown,
            };
        }

        string[] full = [.. groups.Extras.Select(tensor => tensor.Name).Where(name => !IsUnknownLoraTensor(name))];
        if (groups.Modules.Count == 0 && unknown.Length == 0)
        {
            yield return full.Length == 0
                ? new Refusal(RefusalCategory.MissingWeights, "The file holds no tensors.")
                : new Refusal(RefusalCategory.FullFineTune, "This is a full fine-tune: whole tensors of the base, not low-rank deltas.")
                {
                    Modules = full,
                    Remedy = "Use the fused model itself.",
                };
        }
        else if (full.Length > 0)
        {
            yield return new Refusal(
                RefusalCategory.MixedFullTensors,
                "Whole tensors of the base lie beside the low-rank factors; mlx-lm refuses such a file, and no adapter format expresses both exactly.")
            {
                Modules = full,
            };
        }

        foreach (IGrouping<RefusalCategory, MlxTensorGroup> wrong in groups.Modules.Where(group => group.Mismatch() is not null)
            .GroupBy(group => group.A is null || group.B is null ? RefusalCategory.MissingPair : RefusalCategory.RankMismatch))
        {
            MlxTensorGroup[] modules = [.. wrong];
            yield return new Refusal(wrong.Key, $"Factors do not belong together: {modules[0].Path}: {modules[0].Mismatch()}.")
            {
                Modules = [.. modules.SelectMany(group => group.TensorNames)],
            };
        }

        foreach (Refusal refusal in ShapeAndTypeObstacles(groups))
        {
            yield return refusal;
        }

        if (RecordedRankConflicts(groups, config) is { Length: > 0 } conflicts)
        {
            yield return new Refusal(RefusalCategory.RankMismatch, "unsloth_mlx_lora_module_ranks names other ranks than the tensors have.")
            {
                Modules = conflicts,
            };
        }
    }

    public static IEnumerable<string> Warnings(MlxTensorGroups groups, MlxAdapterConfig config)
    {
        MlxTensorGroup[] modules = [.. groups.Modules.Where(group => group.Mismatch() is null)];
        int[] ranks = [.. modules.Select(group => group.Rank).Distinct()];
        if (config.Rank is { } rank && modules.Length > 0 && !ranks.Contains(rank))
        {
            yield return $"The configuration's rank {rank} is not that of the tensors ({string.Join(", ", ranks)}); the tensors are right.";
        }

        string method = Method(groups, config);
        string recorded = config.FineTuneType ?? (config.UseDora == true ? "dora" : "lora");
        if (config.Exists && method != recorded)
        {
            yield return $"The configuration says {recorded}, the tensors are those of {method}; the tensors are right.";
        }

        // The base has at least the layers that have tensors, so what lies before the last num_layers of these is certainly not reached.
        int layers = modules.Max(group => MlxModuleNames.InLayer(group.Path)?.Layer) + 1 ?? 0;
        MlxKeys keys = MlxKeys.Of(config, layers);
        string[] missed = [.. modules.Select(group => group.Path).Where(path => !keys.Reaches(path))];
        if (missed.Length > 0)
        {
            yield return $"The configuration's keys and num_layers do not reach {missed.Length} modules that have tensors, {missed[0]} first: mlx-lm does not load them as they stand.";
        }
    }

    public static bool IsUnknownLoraTensor(string name) =>
        name.Contains(".lora_", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".A", StringComparison.Ordinal) || name.EndsWith(".B", StringComparison.Ordinal);

    private static IEnumerable<Refusal> ShapeAndTypeObstacles(MlxTensorGroups groups)
    {
        MlxTensorGroup[] whole = [.. groups.Modules.Where(group => group.Mismatch() is null)];
        string[] unreadable = [.. whole.SelectMany(group => new[] { group.A, group.B, group.Magnitude }).OfType<TensorInfo>()
            .Where(tensor => !tensor.DType.IsReadableFloat()).Select(tensor => tensor.Name)];
        if (unreadable.Length > 0)
        {
            yield return new Refusal(RefusalCategory.UnsupportedDType, "Tensors have an element type that is not a real number type.") { Modules = unreadable };
        }

        string[] empty = [.. whole.Where(group => group.A!.ElementCount == 0 || group.B!.ElementCount == 0).Select(group => group.Path)];
        if (empty.Length > 0)
        {
            yield return new Refusal(RefusalCategory.ShapeMismatch, "Factors are empty.") { Modules = empty };
        }

        MlxTensorGroup[] dora = [.. whole.Where(group => group.Magnitude is not null)];
        string[] switches = [.. dora.Where(group => group.IsSwitch).Select(group => group.Path)];
        if (switches.Length > 0)
        {
            yield return new Refusal(RefusalCategory.DoraExperts, "Experts carry DoRA magnitudes, which mlx-lm does not support.") { Modules = switches };
        }

        string[] misshapen = [.. dora.Where(group => !group.IsSwitch && !MagnitudeFits(group)).Select(group => group.Magnitude!.Name)];
        if (misshapen.Length > 0)
        {
            yield return new Refusal(RefusalCategory.ShapeMismatch, "DoRA magnitudes do not have one value for each row of their module's weight.")
            {
                Modules = misshapen,
            };
        }

        string[] plain = [.. whole.Where(group => group.Magnitude is null).Select(group => group.Path)];
        if (dora.Length > 0 && plain.Length > 0)
        {
            yield return new Refusal(RefusalCategory.MixedDora, "Some modules carry DoRA magnitudes and some do not; mlx-lm always stores all of them.")
            {
                Modules = plain,
            };
        }
    }

    private static bool MagnitudeFits(MlxTensorGroup group) => group.Magnitude!.Shape is [var rows]
        && rows == (MlxModuleNames.IsEmbedding(group.Path) ? group.A!.Shape[0] : group.B!.Shape[1]);

    private static string[] RecordedRankConflicts(MlxTensorGroups groups, MlxAdapterConfig config)
    {
        IReadOnlyDictionary<string, double> recorded = config.ModuleRanks;
        return [.. groups.Modules.Where(group => group.Mismatch() is null
            && recorded.TryGetValue(group.Path, out double rank) && rank != group.Rank).Select(group => group.Path)];
    }
}
