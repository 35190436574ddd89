using Sway.Tensors;

namespace Sway.Adapters.Mlx;

/// <summary>
/// Reads adapters of mlx-lm (every release) and unsloth on MLX. Linear factors are stored as <c>lora_a (in, rank)</c> and
/// <c>lora_b (rank, out)</c>, experts as <c>(experts, rank, in)</c> and <c>(experts, out, rank)</c>; the delta of a linear layer
/// is <c>scale * lora_b^T @ lora_a^T</c> (mlx_lm/tuner/lora.py).
/// </summary>
public static class MlxAdapterReader
{
    /// <summary>The rank that mlx-lm fixed before it had configurations, and the factor 10 * 16 / 8 that went with it.</summary>
    private const int FixedRank = 8;
    private const double FixedScale = 20;

    /// <summary>Reads headers and configuration, no weights.</summary>
    /// <param name="path">The adapter's folder, or a tensor file (such as a training checkpoint) in it.</param>
    /// <param name="options">Choices; null for none.</param>
    /// <exception cref="ConversionRefusedException">There are no tensors to read.</exception>
    /// <exception cref="AdapterFormatException">A file is damaged.</exception>
    public static LoraAdapter Open(string path, AdapterOpenOptions? options = null)
    {
        MlxAdapterFiles files = MlxAdapterFiles.Find(path);
        MlxAdapterConfig config = MlxAdapterConfig.Read(files.Configuration);
        TensorFile file = OpenTensors(files.Tensors);
        try
        {
            return Build(files, config, file, options);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    internal static TensorFile OpenTensors(string path) => path.EndsWith(".npz", StringComparison.OrdinalIgnoreCase)
        ? NpzFile.Open(path)
        : SafetensorsFile.Open(path);

    private static LoraAdapter Build(MlxAdapterFiles files, MlxAdapterConfig config, TensorFile file, AdapterOpenOptions? options)
    {
        MlxTensorGroups groups = MlxTensorGroups.Of(file);
        var obstacles = new List<Refusal>(MlxAdapterChecks.Obstacles(groups, config));
        var warnings = new List<string>(MlxAdapterChecks.Warnings(groups, config));
        MlxTensorGroup[] whole = [.. groups.Modules.Where(group => group.Mismatch() is null)];
        MlxScale scale = ScaleOf(files, config, whole, options, warnings);
        var modules = new List<LoraModule>();
        var scaleless = new List<string>();
        IReadOnlyDictionary<string, double> own = config.ModuleScales;
        foreach (MlxTensorGroup group in whole)
        {
            double? factor = own.TryGetValue(group.Path, out double value) ? value
                : config.HasModuleScales ? null // The global scale is then the first module's only.
                : options?.Alpha is { } alpha && scale.Value is null ? alpha / group.Rank
                : scale.Value;
            if (factor is null)
            {
                scaleless.Add(group.Path);
            }

            modules.Add(ToModule(file, group, factor ?? 1));
        }

        if (options?.Alpha is { } given && whole.Any(group => scale.Value is { } recorded && Math.Abs((given / group.Rank) - recorded) > 1e-9 * Math.Abs(recorded)))
        {
            obstacles.Add(new Refusal(
                RefusalCategory.BadConfig, FormattableString.Invariant($"The files record the scale {scale.Value} ({scale.Origin}), which is not alpha {given} divided by the rank."))
            {
                Remedy = "Leave the alpha out, or record another scale with sway repair --scale (Repair-MlxAdapter -Scale).",
            });
        }

        if (scaleless.Count > 0)
        {
            string reason = config.HasModuleScales && scale.Value is not null ? "unsloth_mlx_lora_module_scales does not name every module" : scale.Origin;
            obstacles.Add(new Refusal(RefusalCategory.MissingScale, $"The scale is not known: {reason}.")
            {
                Modules = scaleless,
                Remedy = "Record it with sway repair --scale (Repair-MlxAdapter -Scale).",
            });
        }

        return new LoraAdapter([file])
        {
            Path = files.Folder,
            Format = AdapterFormat.Mlx,
            Method = MlxAdapterChecks.Method(groups, config),
            Modules = modules,
            Extras = [.. groups.Extras.Select(tensor => ToExtra(file, tensor))],
            Obstacles = obstacles,
            Warnings = warnings,
            BaseModelName = config.BaseModelName,
            IsDora = groups.Modules.Any(group => group.Magnitude is not null),
            Dropout = RoundDropout(config.Dropout ?? config.Mirrors.Dropout ?? 0),
            Config = config.Root,
            Files = [file],
        };
    }

    private static MlxScale ScaleOf(
        MlxAdapterFiles files, MlxAdapterConfig config, MlxTensorGroup[] modules, AdapterOpenOptions? options, List<string> warnings)
    {
        int[] ranks = [.. modules.Select(module => module.Rank).Distinct()];
        MlxScale scale = MlxScale.Find(config, ranks);
        if (scale.Value is null && !config.Exists && options?.Alpha is null
            && Path.GetFileName(files.Tensors) == MlxAdapterFiles.OldTensorFileName && ranks is [FixedRank])
        {
            scale = new MlxScale(
                FixedScale,
                "the fixed values of mlx-lm before configurations",
                $"{MlxAdapterFiles.OldTensorFileName} without a configuration: the factor {FixedScale} (scale 10, alpha 16, rank 8) is what the releases that wrote it fixed.");
        }

        if (scale.Doubt is not null)
        {
            warnings.Add(scale.Doubt);
        }

        return scale;
    }

    private static LoraModule ToModule(TensorFile file, MlxTensorGroup group, double scale)
    {
        TensorExpression a = file.Get(group.A!);
        TensorExpression b = file.Get(group.B!);
        bool embedding = !group.IsSwitch && MlxModuleNames.IsEmbedding(group.Path);
        if (group.IsFlattened)
        {
            a = a.SplitAxis(0, group.B!.Shape[0]);
        }

        return new LoraModule
        {
            Path = group.Path,
            Naming = ModuleNaming.Mlx,
            Kind = group.IsSwitch ? LoraModuleKind.Experts : embedding ? LoraModuleKind.Embedding : LoraModuleKind.Linear,
            Scaling = scale,
            A = group.IsSwitch ? a : a.Transpose(),
            B = group.IsSwitch ? b : b.Transpose(),
            Magnitude = group.Magnitude is null ? null : file.Get(group.Magnitude),
            AlsoChangesTiedHead = embedding,
            SourceTensors = [.. group.TensorNames],
            Rank = group.Rank,
        };
    }

    private static AdapterExtra ToExtra(TensorFile file, TensorInfo tensor)
    {
        int dot = Math.Max(tensor.Name.LastIndexOf('.'), 0);
        AdapterExtraKind kind = MlxAdapterChecks.IsUnknownLoraTensor(tensor.Name) ? AdapterExtraKind.Unknown
            : tensor.Name[(dot + (dot > 0 ? 1 : 0))..] switch
            {
                "weight" => AdapterExtraKind.FullWeight,
                "bias" => AdapterExtraKind.BaseBias,
                _ => AdapterExtraKind.Unknown,
            };
        return new AdapterExtra(tensor.Name, tensor.Name[..dot], kind, file.Get(tensor));
    }

    // mlx keeps 1 - p in binary, so unsloth records 0.09999999999999998 where the user said 0.1.
    private static double RoundDropout(double dropout) => dropout is >= 0 and < 1 ? Math.Round(dropout, 6) : 0;
}
