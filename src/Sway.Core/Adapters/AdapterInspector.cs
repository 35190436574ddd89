using Sway.Conversion;
using Sway.IO;
using Sway.Tensors;

namespace Sway.Adapters;

/// <summary>Describes adapters without loading weights.</summary>
public static class AdapterInspector
{
    /// <summary>Describes one adapter.</summary>
    /// <param name="path">A folder, or a weights file in it.</param>
    /// <param name="detailed">True to list the modules.</param>
    /// <param name="norms">True to read the weights and give each module's delta norm (implies the list).</param>
    /// <param name="adapterName">Which adapter of several.</param>
    /// <param name="cancellationToken">Stops between modules.</param>
    /// <exception cref="ConversionRefusedException">The path holds no single adapter that can be read.</exception>
    /// <exception cref="AdapterFormatException">A file is damaged.</exception>
    public static LoraAdapterInfo Inspect(
        string path, bool detailed = false, bool norms = false, string? adapterName = null, CancellationToken cancellationToken = default)
    {
        using LoraAdapter adapter = AdapterReader.Open(path, new AdapterOpenOptions { AdapterName = adapterName });
        var totals = new ModuleTotals(adapter.Modules);
        return new LoraAdapterInfo
        {
            FullName = adapter.Path,
            Name = Path.GetFileName(adapter.Path),
            Format = adapter.Format switch
            {
                AdapterFormat.Peft => nameof(AdapterFormat.Peft),
                AdapterFormat.Mlx => nameof(AdapterFormat.Mlx),
                _ => nameof(AdapterFormat.Megatron),
            },
            Method = MethodName(adapter),
            BaseModel = adapter.BaseModelName,
            Ranks = totals.Ranks,
            Scalings = totals.Scalings,
            ModuleCount = adapter.Modules.Count,
            LayerCount = totals.LayerCount,
            TargetModules = totals.TargetModules,
            Parameters = totals.Parameters,
            DTypes = DTypes(adapter),
            SizeBytes = adapter.FileLength,
            Problems = adapter.Obstacles.Count == 0 && adapter.Extras.Count == 0
                ? []
                : [.. adapter.Obstacles.Select(obstacle => $"{obstacle.Category}: {obstacle.Reason}"), .. ExtraProblems(adapter)],
            Modules = detailed || norms ? [.. adapter.Modules.Select(module => Describe(module, norms, cancellationToken))] : [],
        };
    }

    private static IEnumerable<string> ExtraProblems(LoraAdapter adapter)
    {
        foreach (IGrouping<AdapterExtraKind, AdapterExtra> group in adapter.Extras.GroupBy(extra => extra.Kind))
        {
            (RefusalCategory Category, string Text)? problem = group.Key switch
            {
                AdapterExtraKind.FullWeight => (RefusalCategory.ModulesToSave, "whole weights are stored beside the factors"),
                AdapterExtraKind.TokenRows => (RefusalCategory.TrainableTokens, "rows of the embedding were trained; converting needs the base"),
                AdapterExtraKind.BaseBias => (RefusalCategory.BiasTrained, "biases of the base are stored"),
                AdapterExtraKind.LoraBias => (RefusalCategory.LoraBias, "the adapter adds trained biases"),
                _ => null,
            };
            if (problem is { } found)
            {
                yield return $"{found.Category}: {found.Text} ({string.Join(", ", group.Take(3).Select(extra => extra.Name))}{(group.Count() > 3 ? ", ..." : "")})";
            }
        }
    }

    private static string MethodName(LoraAdapter adapter) => adapter.Method switch
    {
        "LORA" or "lora" or "dora" when adapter.IsDora => "DoRA",
        "LORA" when adapter.Settings is { } settings && settings.TryGet("use_rslora", out JsonTree set) && set.Kind == JsonKind.True => "rsLoRA",
        "LORA" or "lora" => "LoRA",
        "ADALORA" => "AdaLoRA",
        "LOHA" => "LoHa",
        _ => adapter.Method,
    };

    private static List<string> DTypes(LoraAdapter adapter)
    {
        var names = new List<string>();
        foreach (TensorFile file in adapter.Files)
        {
            foreach (TensorInfo tensor in file.Tensors)
            {
                string name = tensor.DType.SafetensorsName();
                if (!names.Contains(name))
                {
                    names.Add(name);
                }
            }
        }

        names.Sort(StringComparer.Ordinal);
        return names;
    }

    private static LoraModuleInfo Describe(LoraModule module, bool norms, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        bool stacked = module.Kind == LoraModuleKind.Experts && module.Packing == ExpertPacking.None;
        bool packed = module.Packing == ExpertPacking.PeftParameter;
        return new LoraModuleInfo
        {
            Path = module.ParameterName is null ? module.Path : $"{module.Path}.{module.ParameterName}",
            Kind = module.Kind.ToString(),
            Rank = module.Rank,
            Scaling = module.Scaling,
            InputSize = module.A.Shape[^1],
            OutputSize = stacked ? module.B.Shape[1] : module.B.Shape[0],
            Experts = stacked ? module.A.Shape[0] : packed ? module.A.Shape[0] / Math.Max(1, module.Rank) : 0,
            DType = module.A.DType.SafetensorsName(),
            IsDora = module.Magnitude is not null,
            DeltaNorm = norms ? Norm(module) : null,
        };
    }

    private static double Norm(LoraModule module)
    {
        if (module.Rank == 0)
        {
            return 0;
        }

        if (module.Kind != LoraModuleKind.Experts)
        {
            return new LowRank(module.A, module.B, module.Scaling).Norm();
        }

        bool packed = module.Packing == ExpertPacking.PeftParameter;
        TensorExpression a = packed ? module.A.SplitAxis(0, module.A.Shape[0] / module.Rank) : module.A;
        TensorExpression b = packed ? module.B.SplitAxis(1, module.Rank).Permute(2, 0, 1) : module.B;
        double sum = 0;
        for (long e = 0; e < a.Shape[0]; e++)
        {
            double norm = new LowRank(a.Index(0, e), b.Index(0, e), module.Scaling).Norm();
            sum += norm * norm;
        }

        return Math.Sqrt(sum);
    }
}
