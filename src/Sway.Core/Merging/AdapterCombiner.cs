using Sway.Adapters;
using Sway.Architectures;
using Sway.Conversion;
using Sway.Conversion.Peft;
using Sway.IO;
using Sway.Tensors;

namespace Sway.Merging;

/// <summary>Makes one adapter of several, in PEFT's format.</summary>
public static class AdapterCombiner
{
    /// <summary>Writes the combined adapter.</summary>
    /// <param name="paths">Two adapters or more.</param>
    /// <param name="destination">The output folder itself.</param>
    /// <param name="options">Choices.</param>
    /// <param name="progress">Gets bytes written and in all.</param>
    /// <param name="cancellationToken">Stops between tiles and removes what was written.</param>
    /// <exception cref="ConversionRefusedException">The adapters cannot be combined in this way.</exception>
    /// <exception cref="OutputException">The output exists already.</exception>
    public static AdapterMergeResult Combine(
        IReadOnlyList<string> paths,
        string destination,
        CombinationOptions options,
        IProgress<ByteProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        var adapters = new List<LoraAdapter>();
        try
        {
            foreach (string path in paths)
            {
                adapters.Add(AdapterReader.Open(path, new AdapterOpenOptions { BaseModel = options.BaseModel, Alpha = options.Alpha }));
            }

            return Combine(adapters, destination, options, progress, cancellationToken);
        }
        finally
        {
            adapters.ForEach(adapter => adapter.Dispose());
        }
    }

    private static AdapterMergeResult Combine(
        List<LoraAdapter> adapters, string destination, CombinationOptions options, IProgress<ByteProgress>? progress, CancellationToken cancellationToken)
    {
        double[] weights = options.Weights.Count > 0 ? [.. options.Weights] : [.. adapters.Select(_ => 1.0)];
        if (weights.Length != adapters.Count)
        {
            throw new ArgumentException($"{weights.Length} weights for {adapters.Count} adapters.", nameof(options));
        }

        Refusal[] refusals = [.. Refusals(adapters, options)];
        if (refusals.Length > 0)
        {
            throw new ConversionRefusedException(adapters[0].Path, refusals);
        }

        string full = AdapterMerger.CheckDestination(destination, adapters[0].Path, null, options.Force);
        int svdRank = options.Rank ?? adapters.SelectMany(adapter => adapter.Modules).Max(module => module.Rank);
        LoraModule[] modules = [.. adapters
            .SelectMany((adapter, index) => adapter.Modules.Select(module => (Module: module, Weight: weights[index])))
            .GroupBy(entry => entry.Module.Path, StringComparer.Ordinal)
            .Select(group => Join([.. group], options, svdRank))];
        LoraAdapter first = adapters[0];
        using BaseModel? model = BaseModelLocator.Open(first.Path, first.BaseModelName, options.BaseModel, search: true, out BaseSource source);
        var combined = new LoraAdapter([])
        {
            Path = first.Path,
            Format = first.Format,
            Method = "lora",
            Modules = modules,
            Extras = [],
            Obstacles = [],
            BaseModelName = first.BaseModelName,
            Files = [],
        };
        using ConversionPlan plan = PeftPlanner.PlanModules(combined, model, source, new ConversionOptions { Target = ConversionTarget.Peft });
        var result = new AdapterMergeResult
        {
            FullName = full,
            Sources = [.. adapters.Select(adapter => adapter.Path)],
            Method = options.Method.ToString(),
            ModuleCount = modules.Length,
            TensorCount = plan.Tensors.Count,
            Rank = modules.Max(module => module.Rank),
            Warnings = [.. adapters.SelectMany(adapter => adapter.Warnings).Concat(plan.Summary.Warnings).Distinct(StringComparer.Ordinal)],
            WrittenBytes = 0,
        };
        if (options.WhatIf)
        {
            return result;
        }

        using AtomicDirectory output = AtomicDirectory.Create(full);
        var finite = new FiniteGuard();
        long written = SafetensorsWriter.Write(
            Path.Combine(output.TemporaryPath, plan.TensorFileName), plan.Tensors, plan.Metadata, progress, finite.Inspect, cancellationToken);
        finite.ThrowIfAny(string.Join(" + ", adapters.Select(adapter => adapter.Path)));
        AtomicFile.WriteNew(Path.Combine(output.TemporaryPath, AdapterLocation.ConfigName), plan.Configuration);
        output.Commit(options.Force, cancellationToken);
        return result with { WrittenBytes = written };
    }

    private static LoraModule Join((LoraModule Module, double Weight)[] parts, CombinationOptions options, int svdRank)
    {
        (TensorExpression a, TensorExpression b) = CombinedFactors.Of(
            [.. parts.Select(part => new WeightedFactors(part.Module.A, part.Module.B, part.Module.Scaling, part.Weight))], options, svdRank);
        return parts[0].Module with
        {
            A = a,
            B = b,
            Rank = (int)a.Shape[0],
            Scaling = 1,
            SourceTensors = [.. parts.SelectMany(part => part.Module.SourceTensors).Distinct(StringComparer.Ordinal)],
        };
    }

    private static IEnumerable<Refusal> Refusals(List<LoraAdapter> adapters, CombinationOptions options)
    {
        foreach (Refusal refusal in adapters.SelectMany(adapter => adapter.Obstacles))
        {
            yield return refusal;
        }

        LoraModule[] all = [.. adapters.SelectMany(adapter => adapter.Modules)];
        if (all.Select(module => module.Naming).Distinct().Count() > 1)
        {
            yield return new Refusal(RefusalCategory.AmbiguousFormat, "The adapters are of different formats.")
            {
                Remedy = "Convert them to PEFT first: sway convert --to peft.",
            };
        }

        string[] extras = [.. adapters.SelectMany(adapter => adapter.Extras)
            .Where(extra => extra.Kind is not (AdapterExtraKind.BaseLayerCopy or AdapterExtraKind.TrainingBuffer)).Select(extra => extra.Name)];
        if (extras.Length > 0)
        {
            yield return new Refusal(RefusalCategory.ModulesToSave, "Tensors beside the low-rank deltas cannot be combined.") { Modules = extras };
        }

        string[] dora = [.. all.Where(module => module.Magnitude is not null).Select(module => module.Path).Distinct(StringComparer.Ordinal)];
        if (dora.Length > 0)
        {
            yield return new Refusal(RefusalCategory.MixedDora, "DoRA is not a sum of deltas and cannot be combined.") { Modules = dora };
        }

        string[] experts = [.. all.Where(module => module.Kind == LoraModuleKind.Experts).Select(module => module.Path).Distinct(StringComparer.Ordinal)];
        if (experts.Length > 0)
        {
            yield return new Refusal(RefusalCategory.ExpertLayout, "Experts in one tensor are not combined.") { Modules = experts };
        }

        string[] twice = [.. Spellings(adapters)];
        if (twice.Length > 0)
        {
            yield return new Refusal(RefusalCategory.DuplicateModule, "The adapters name the same modules in different ways (one was trained without the head or inside another model).") { Modules = twice };
        }

        string[] shapes = [.. all.GroupBy(module => module.Path, StringComparer.Ordinal)
            .Where(same => same.Select(module => (module.A.Shape[^1], module.B.Shape[0], module.Kind)).Distinct().Count() > 1).Select(same => same.Key)];
        if (shapes.Length > 0)
        {
            yield return new Refusal(RefusalCategory.ShapeMismatch, "The adapters are for base models of different sizes.") { Modules = shapes };
        }

        if (options.Method is CombinationMethod.Linear or CombinationMethod.Ties or CombinationMethod.MagnitudePrune && all.Select(module => module.Rank).Distinct().Count() > 1)
        {
            yield return new Refusal(RefusalCategory.RankMismatch, $"{options.Method} adds factors element by element, so all adapters must have the same rank.")
            {
                Remedy = "Use Cat, which is the exact weighted sum of the deltas, or Svd.",
            };
        }
    }

    /// <summary>Modules of one adapter whose path is another adapter's with something before it.</summary>
    private static IEnumerable<string> Spellings(List<LoraAdapter> adapters)
    {
        var all = adapters.SelectMany(adapter => adapter.Modules).Select(module => module.Path).ToHashSet(StringComparer.Ordinal);
        foreach (string path in all)
        {
            for (int dot = path.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = path.IndexOf('.', dot + 1))
            {
                if (all.Contains(path[(dot + 1)..]))
                {
                    yield return path;
                }
            }
        }
    }
}
