using Sway.Adapters;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Conversion.Mlx;

/// <summary>Plans the conversion of a neutral adapter to mlx-lm's format, from headers alone.</summary>
internal static class MlxPlanner
{
    /// <summary>Makes the plan, which then owns the adapter.</summary>
    /// <exception cref="ConversionRefusedException">The result would not be exact.</exception>
    public static ConversionPlan Plan(LoraAdapter adapter, BaseModel? model, BaseSource source, ConversionOptions options, LoraAdapter? initial)
    {
        MlxResolution resolution = Resolve(adapter, model, options, initial);
        if (resolution.Refusals.IsEmpty && resolution.Modules.Count == 0)
        {
            resolution.Refusals.Add(RefusalCategory.MissingWeights, "Nothing of the adapter is left to convert.");
        }

        if (!resolution.Refusals.IsEmpty)
        {
            throw new ConversionRefusedException(adapter.Path, resolution.Refusals.ToList());
        }

        MlxFactors factors = MlxFactors.Unify(resolution);
        MlxKeys keys = MlxKeys.Choose(resolution);
        var tensors = factors.Modules.SelectMany(module => module.Tensors).ToList();
        AdapterConversionResult summary = Summarize(resolution, factors, keys, source, tensors);
        return new ConversionPlan(adapter)
        {
            Tensors = tensors,
            TensorFileName = "adapters.safetensors",
            Configuration = MlxConfiguration.Write(resolution, factors, keys),
            Summary = summary,
            Fates = Fates(resolution, factors),
            Deltas = [.. factors.Modules.Select(module => module.Delta)],
        };
    }

    /// <summary>Finds the place of everything in mlx-lm's model, and all that stands against an exact result.</summary>
    public static MlxResolution Resolve(LoraAdapter adapter, BaseModel? model, ConversionOptions options, LoraAdapter? initial)
    {
        var resolution = new MlxResolution(adapter, model, options);
        foreach (Refusal obstacle in adapter.Obstacles.Where(obstacle => !obstacle.IsInitialisation))
        {
            resolution.RefuseOrLeaveOut(obstacle.Category, obstacle.Reason, obstacle.Remedy, obstacle.Modules);
        }

        resolution.Warnings.AddRange(adapter.Warnings);
        ModuleResolver.Resolve(resolution);
        TiedModels.Resolve(resolution);
        InitialFactors.Resolve(resolution, initial);
        ExtraTensors.Resolve(resolution);
        TargetCoverage.Check(resolution);
        CheckDuplicates(resolution);
        CheckDora(resolution);
        return resolution;
    }

    private static void CheckDuplicates(MlxResolution resolution)
    {
        foreach (IGrouping<string, MlxModule> group in resolution.Modules.GroupBy(module => module.Path, StringComparer.Ordinal).Where(g => g.Count() > 1))
        {
            resolution.Refusals.Add(RefusalCategory.DuplicateModule, "Two modules of the adapter are the same module of the base.", group.SelectMany(module => module.SourceTensors));
        }
    }

    private static void CheckDora(MlxResolution resolution)
    {
        if (!resolution.Modules.Any(module => module.Magnitude is not null))
        {
            return;
        }

        string[] plain = [.. resolution.Modules.Where(module => module.Magnitude is null).Select(module => module.Path)];
        if (plain.Length > 0)
        {
            resolution.Refusals.Add(RefusalCategory.MixedDora, "Some modules have DoRA magnitudes and others have none; mlx-lm knows one method for all.", plain);
        }
    }

    private static AdapterConversionResult Summarize(
        MlxResolution resolution, MlxFactors factors, MlxKeys keys, BaseSource source, List<PlannedTensor> tensors) => new()
        {
            FullName = "",
            Source = resolution.Adapter.Path,
            SourceFormat = resolution.Adapter.Format.ToString(),
            Format = "Mlx",
            Method = factors.IsDora ? "dora" : "lora",
            Rank = factors.Rank,
            Scale = factors.Scale,
            Baked = factors.Baked,
            DTypes = [.. tensors.Select(tensor => tensor.Value.DType.SafetensorsName()).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)],
            Keys = keys.Keys,
            NumLayers = keys.NumLayers,
            TargetModules = [.. resolution.Modules.Select(module => module.Path[(module.Path.LastIndexOf('.') + 1)..]).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)],
            ModuleCount = resolution.Modules.Count,
            LeftOut = [.. resolution.LeftOut.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => $"{entry.Key}: {entry.Value}")],
            Losses = [.. resolution.Losses.Order().Select(category => category.ToString())],
            BaseModel = resolution.Base?.Folder,
            BaseSource = source.ToString(),
            LoadsIn = keys.LoadsIn,
            Warnings = [.. resolution.Warnings, .. factors.Warnings],
            SourceBytes = resolution.Adapter.FileLength,
            WrittenBytes = 0,
            Seconds = 0,
        };

    private static List<TensorFate> Fates(MlxResolution resolution, MlxFactors factors)
    {
        var fates = new List<TensorFate>();
        ILookup<string, MlxModuleTensors> usersOf = factors.Modules
            .SelectMany(module => module.Module.SourceTensors.Distinct(StringComparer.Ordinal), (module, name) => (Module: module, Name: name))
            .ToLookup(entry => entry.Name, entry => entry.Module, StringComparer.Ordinal);
        foreach (TensorInfo tensor in resolution.Adapter.Files.SelectMany(file => file.Tensors))
        {
            MlxModuleTensors[] users = [.. usersOf[tensor.Name]];
            if (users.Length > 0)
            {
                string[] outputs = [.. users.SelectMany(user => user.Tensors.Where(t => t.Value.Sources.Contains(tensor.Name, StringComparer.Ordinal)).Select(t => t.Name))];
                fates.Add(new TensorFate(tensor.Name, outputs.Length > 0 ? outputs : [.. users.SelectMany(u => u.Tensors.Select(t => t.Name))], users[0].Explanation));
            }
            else
            {
                fates.Add(new TensorFate(tensor.Name, [], resolution.LeftOut.GetValueOrDefault(tensor.Name, "not needed")));
            }
        }

        return fates;
    }
}
