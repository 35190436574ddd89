using System.Text;
using System.Text.Json;
using Sway.Architectures;
using Sway.IO;
using Sway.Tensors;

namespace Sway.Adapters.Mlx.Repair;

/// <summary>
/// Completes and corrects the configuration of mlx-lm and unsloth adapters from their tensors and their base model, and
/// rewrites tensors where asked. The scale is in no tensor: it is taken from a recorded field or from the user, or asked for.
/// </summary>
public static class MlxAdapterRepair
{
    /// <summary>Repairs one adapter in its place, keeping a copy of every file that changes.</summary>
    /// <param name="path">The adapter's folder, or a tensor file in it.</param>
    /// <param name="options">Choices; null for none.</param>
    /// <param name="cancellationToken">Stops before anything is replaced.</param>
    /// <exception cref="ConversionRefusedException">Something is not known that only the user can say, or no repair is exact.</exception>
    /// <exception cref="AdapterFormatException">A file is damaged.</exception>
    public static AdapterRepairResult Repair(string path, AdapterRepairOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new AdapterRepairOptions();
        MlxAdapterFiles files = MlxAdapterFiles.Find(path);
        if (Path.GetFileName(files.Tensors) is not (MlxAdapterFiles.TensorFileName or MlxAdapterFiles.OldTensorFileName))
        {
            throw new ConversionRefusedException(files.Folder, [new Refusal(
                RefusalCategory.MissingWeights,
                $"{Path.GetFileName(files.Tensors)} is a training checkpoint; repair works on the adapter that mlx-lm would load.")
            {
                Remedy = $"Copy it to a folder of its own as {MlxAdapterFiles.TensorFileName} with the configuration.",
            }]);
        }

        MlxAdapterConfig config = MlxAdapterConfig.Read(files.Configuration);
        AdapterRepairResult result;
        string? rewritten = null;
        byte[] document;
        using (TensorFile tensors = MlxAdapterReader.OpenTensors(files.Tensors))
        {
            MlxTensorGroups groups = MlxTensorGroups.Of(tensors);
            Refusal[] obstacles = [.. MlxAdapterChecks.Obstacles(groups, config)];
            if (obstacles.Length > 0)
            {
                throw new ConversionRefusedException(files.Folder, obstacles);
            }

            var warnings = new List<string>();
            Func<string, double> scaleOf = Scales(files, config, groups, options, warnings, out string scaleOrigin);
            MlxLayoutUpdate layout = MlxLayoutUpdate.Plan(tensors, groups, scaleOf);
            CheckLayout(files, groups, layout, scaleOf, options, warnings);
            RepairFacts facts = Facts(files, config, groups, layout, scaleOrigin, options, warnings);
            var repair = new MlxConfigRepair(config);
            repair.Apply(facts);
            bool rewrite = options.UpdateLayout && layout.Tensors is not null;
            document = Serialize(repair);
            result = new AdapterRepairResult
            {
                FullName = files.Folder,
                Changed = rewrite || repair.Fields.Count > 0,
                Method = facts.Method,
                Rank = facts.Rank,
                Scale = facts.Scale,
                NumLayers = facts.NumLayers,
                ModuleCount = groups.Modules.Count,
                Fields = repair.Fields,
                TensorChanges = rewrite ? layout.Changes : [],
                Backups = [],
                Warnings = warnings,
            };
            if (options.WhatIf || !result.Changed)
            {
                return result;
            }

            if (rewrite)
            {
                rewritten = AtomicDirectory.TemporaryName(Path.Combine(files.Folder, MlxAdapterFiles.TensorFileName));
                WriteTensors(rewritten, layout.Tensors!, cancellationToken);
            }
        }

        return result with { Backups = Replace(files, document, rewritten) };
    }

    private static Func<string, double> Scales(
        MlxAdapterFiles files, MlxAdapterConfig config, MlxTensorGroups groups, AdapterRepairOptions options, List<string> warnings, out string origin)
    {
        int[] ranks = [.. groups.Modules.Select(group => group.Rank).Distinct()];
        MlxScale scale = MlxScale.Find(config, ranks);
        if (options.Scale is { } given)
        {
            origin = "the user";
            if (scale.Value is { } recorded && recorded != given)
            {
                warnings.Add(FormattableString.Invariant($"The files record the scale {recorded} ({scale.Origin}); {given} is used because it was asked for."));
            }

            return _ => given;
        }

        IReadOnlyDictionary<string, double> own = config.ModuleScales;
        if (scale.Doubt is not null)
        {
            warnings.Add(scale.Doubt);
        }

        origin = scale.Origin;
        if ((scale.Value is null || config.HasModuleScales) && !groups.Modules.All(group => own.ContainsKey(group.Path)))
        {
            string reason = config.HasModuleScales && scale.Value is not null ? "unsloth_mlx_lora_module_scales does not name every module" : scale.Origin;
            throw new ConversionRefusedException(files.Folder, [new Refusal(RefusalCategory.MissingScale, $"The scale is not known: {reason}. It cannot be computed from the tensors.")
            {
                Remedy = "Give the scale that the adapter was trained with: --scale X (-Scale X).",
            }]);
        }

        return path => own.TryGetValue(path, out double value) ? value : scale.Value!.Value;
    }

    private static void CheckLayout(
        MlxAdapterFiles files, MlxTensorGroups groups, MlxLayoutUpdate layout, Func<string, double> scaleOf, AdapterRepairOptions options, List<string> warnings)
    {
        if (options.UpdateLayout)
        {
            return;
        }

        MlxTensorGroup[] other = [.. groups.Modules.Where(group => group.Rank != layout.Rank || scaleOf(group.Path) != layout.Scale)];
        if (other.Length > 0)
        {
            throw new ConversionRefusedException(files.Folder, [new Refusal(RefusalCategory.RankMismatch, "Modules have ranks or scales of their own, and mlx-lm knows one of each for all.")
            {
                Modules = [.. other.Select(group => group.Path)],
                Remedy = "Rewrite the tensors with --update-layout (-UpdateLayout): padded with zeros and multiplied, which changes no result.",
            }]);
        }

        if (layout.Changes.Count > 0)
        {
            warnings.Add("mlx-lm of today does not load these tensors as they are stored; --update-layout (-UpdateLayout) rewrites them: "
                + string.Join("; ", layout.Changes) + ".");
        }
    }

    private static RepairFacts Facts(
        MlxAdapterFiles files,
        MlxAdapterConfig config,
        MlxTensorGroups groups,
        MlxLayoutUpdate layout,
        string scaleOrigin,
        AdapterRepairOptions options,
        List<string> warnings)
    {
        using BaseModel? model = BaseModelLocator.Open(files.Folder, config.BaseModelName, options.BaseModel, search: true, out _);
        int? count = options.NumLayers ?? model?.LayerCount;
        int highest = groups.Modules.Select(group => MlxModuleNames.InLayer(group.Path)?.Layer ?? -1).DefaultIfEmpty(-1).Max();
        if (count is { } layers && highest >= layers)
        {
            throw new ConversionRefusedException(files.Folder, [new Refusal(
                RefusalCategory.UnknownModule,
                FormattableString.Invariant($"The adapter has tensors for layer {highest}, but there are only {layers} layers: this is not its base model."))]);
        }

        if (config.Mirrors.Rank is { } mirror && config.Rank is { } rank && mirror != rank)
        {
            warnings.Add(FormattableString.Invariant($"The top-level rank {mirror} differs from lora_parameters.rank {rank}; the tensors decide."));
        }

        // A smaller count is kept where the recorded keys were relative and right, so that no more layers are wrapped.
        bool keeps = count is { } all && config.NumLayers is > 0 and { } recorded && recorded <= all && options.NumLayers is null
            && config.Keys is { Count: > 0 } && groups.Modules.All(group => MlxKeys.Of(config, all).Reaches(group.Path));
        return new RepairFacts
        {
            Method = MlxAdapterChecks.Method(groups, config),
            Rank = layout.Rank,
            RankOrigin = "the tensors' shapes",
            Scale = layout.Scale,
            ScaleOrigin = scaleOrigin,
            NumLayers = keeps ? config.NumLayers!.Value : count ?? Math.Max(highest + 1, 1),
            NumLayersOrigin = options.NumLayers is not null ? "the user"
                : count is not null ? "the base model's configuration"
                : "the highest layer with tensors",
            LayerCount = count,
            Modules = [.. groups.Modules.Select(group => group.Path)],
            OneRankAndScale = options.UpdateLayout,
        };
    }

    private static byte[] Serialize(MlxConfigRepair repair)
    {
        string text = repair.Document.ToJsonString(new JsonSerializerOptions
        {
            WriteIndented = true,
            IndentSize = 4,
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        });
        return Encoding.UTF8.GetBytes(text.ReplaceLineEndings("\n") + "\n");
    }

    private static void WriteTensors(string path, IReadOnlyList<PlannedTensor> tensors, CancellationToken cancellationToken)
    {
        try
        {
            SafetensorsWriter.Write(path, tensors, cancellationToken: cancellationToken);
        }
        catch
        {
            File.Delete(path);
            throw;
        }
    }

    private static List<string> Replace(MlxAdapterFiles files, byte[] document, string? rewritten)
    {
        var backups = new List<string>();
        if (files.Configuration is not null)
        {
            backups.Add(Backup(files.Configuration));
        }

        if (rewritten is not null)
        {
            string target = Path.Combine(files.Folder, MlxAdapterFiles.TensorFileName);
            if (File.Exists(target))
            {
                backups.Add(Backup(target));
            }

            File.Move(rewritten, target, overwrite: true);
        }

        AtomicFile.Write(Path.Combine(files.Folder, MlxAdapterFiles.ConfigurationFileName), document);
        return backups;
    }

    /// <summary>Copies a file beside itself under a free name.</summary>
    private static string Backup(string path)
    {
        for (int number = 1; ; number++)
        {
            string copy = number == 1 ? path + ".bak" : FormattableString.Invariant($"{path}.bak{number}");
            if (!File.Exists(copy))
            {
                File.Copy(path, copy);
                return copy;
            }
        }
    }
}
