using System.Text.Json;
using Sway.Architectures;
using Sway.Tensors;
using Sway.Tensors.Torch;

namespace Sway.Adapters.Megatron;

/// <summary>
/// Reads the LoRA, CanonicalLoRA and DoRA adapters of Megatron-Bridge checkpoints (torch_dist), whatever the parallelism
/// that saved them, without Megatron and without torch.
/// </summary>
public static class MegatronAdapterReader
{
    private static readonly string[] s_types = ["LoRA", "VLMLoRA", "CanonicalLoRA", "DoRA"];

    /// <summary>Opens an iteration's or a run's folder: metadata, record headers and configuration, no weights.</summary>
    /// <param name="path">The folder, or a file in it.</param>
    /// <param name="options">Alpha where there is no run_config.yaml, and the base model, whose configuration gives the
    /// Hugging Face names. Without a base the modules keep Megatron's names and an obstacle says so.</param>
    /// <exception cref="ConversionRefusedException">The adapter has no exact neutral form; all reasons are listed.</exception>
    /// <exception cref="AdapterFormatException">A file is damaged.</exception>
    public static LoraAdapter Open(string path, AdapterOpenOptions? options = null)
    {
        options ??= new AdapterOpenOptions();
        string folder = MegatronCheckpoint.FindIteration(path);
        MegatronCheckpoint.CheckFormat(folder);
        if (!File.Exists(Path.Combine(folder, ".metadata")))
        {
            throw new AdapterFormatException($"{folder} has no .metadata, without which nobody can read its shards.")
            {
                Path = folder,
                Remedy = "Copy the whole checkpoint folder, hidden files included.",
            };
        }

        MegatronRunConfig? run = MegatronRunConfig.Find(folder);
        CheckRun(folder, run);
        DistributedCheckpoint file = DistributedCheckpoint.Open(folder, MegatronTensorGroup.IsAdapterTensor);
        try
        {
            return Read(folder, file, run, options);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static LoraAdapter Read(string folder, DistributedCheckpoint file, MegatronRunConfig? run, AdapterOpenOptions options)
    {
        var refusals = new RefusalList();
        var obstacles = new RefusalList();
        CheckOtherTensors(file, refusals);
        double alpha = FindAlpha(run, options, refusals);
        using BaseModel? baseModel = BaseModelLocator.Open(folder, run?.BaseModelName, options.BaseModel, !options.NoBaseLookup, out _);
        MegatronNameMap? names = FindNames(baseModel, refusals, obstacles);
        var builder = new MegatronModuleBuilder(file, names, new MegatronGeometry(run, baseModel, refusals), alpha, refusals, obstacles);
        foreach (MegatronTensorGroup group in MegatronTensorGroup.Group(file.Tensors, refusals))
        {
            builder.Add(group);
        }

        IReadOnlyList<LoraModule> modules = builder.Modules;
        bool isDora = modules.Any(module => module.Magnitude is not null);
        CheckModules(run, modules, isDora, refusals);
        if (!refusals.IsEmpty)
        {
            throw new ConversionRefusedException(folder, refusals.ToList());
        }

        return new LoraAdapter([file])
        {
            Path = folder,
            Format = AdapterFormat.Megatron,
            Method = isDora ? "DoRA" : run?.AdapterType is { } type ? type[(type.LastIndexOf('.') + 1)..] : "LoRA",
            Modules = modules,
            Extras = [],
            Obstacles = obstacles.ToList(),
            Warnings = Warnings(folder),
            BaseModelName = run?.BaseModelName,
            IsDora = isDora,
            Dropout = run?.Dropout ?? 0,
            Config = default(JsonElement),
            Files = [file],
        };
    }

    private static void CheckRun(string folder, MegatronRunConfig? run)
    {
        var refusals = new RefusalList();
        if (run?.AdapterType is { } type && !s_types.Contains(type[(type.LastIndexOf('.') + 1)..], StringComparer.Ordinal))
        {
            refusals.Add(RefusalCategory.UnsupportedPeftType, $"The adapter is a {type}, which Sway does not read.");
        }

        if (run is { SharedOuterExperts: true })
        {
            refusals.Add(RefusalCategory.Megatron, "The run shares the outer factors of its experts (experts_shared_outer_loras), and how that is saved is not known.");
        }

        if (run?.CheckpointFormat is { } format and not "torch_dist")
        {
            refusals.AddWithRemedy(
                RefusalCategory.Megatron, $"The run saves checkpoints as {format}; Sway reads torch_dist.", "Save the checkpoint with ckpt_format torch_dist.");
        }

        if (!refusals.IsEmpty)
        {
            throw new ConversionRefusedException(folder, refusals.ToList());
        }
    }

    // The optimizer's state and rerun or random states do not belong to the model; everything else would be lost.
    private static void CheckOtherTensors(DistributedCheckpoint file, RefusalList refusals)
    {
        string[] others = [.. file.AllNames.Where(name => !MegatronTensorGroup.IsAdapterTensor(name) && !name.StartsWith("optimizer.", StringComparison.Ordinal)
            && !name.StartsWith("opt_param_scheduler", StringComparison.Ordinal))];
        string[] slots = [.. others.Where(name => name.Contains(".adapters.", StringComparison.Ordinal))];
        if (slots.Length > 0)
        {
            refusals.Add(RefusalCategory.Megatron, "The checkpoint holds several adapters in slots (MultiLoRA), whose alphas are not saved.", slots);
        }

        string[] unknown = [.. others.Except(slots).Where(name => name.Contains(".adapter.", StringComparison.Ordinal))];
        if (unknown.Length > 0)
        {
            refusals.Add(RefusalCategory.UnknownTensor, "Adapter tensors of an unknown kind.", unknown);
        }

        string[] full = [.. others.Except(slots).Except(unknown)];
        if (full.Length > 0)
        {
            refusals.Add(RefusalCategory.MixedFullTensors, "The checkpoint holds whole weights beside the adapters, or is a whole model.", full);
        }

        if (file.Tensors.Count == 0 && refusals.IsEmpty)
        {
            refusals.Add(RefusalCategory.MissingWeights, "The checkpoint holds no adapter.");
        }
    }

    private static double FindAlpha(MegatronRunConfig? run, AdapterOpenOptions options, RefusalList refusals)
    {
        if (run?.Alpha is { } recorded && options.Alpha is { } given && recorded != given)
        {
            refusals.AddWithRemedy(RefusalCategory.BadConfig, $"run_config.yaml says alpha {recorded}, not {given}.", "Leave the alpha out.");
        }

        if ((run?.Alpha ?? options.Alpha) is { } alpha && double.IsFinite(alpha))
        {
            return alpha;
        }

        refusals.AddWithRemedy(
            RefusalCategory.MissingScale, "No run_config.yaml says the adapter's alpha.", "Put run_config.yaml beside the checkpoint, or give -Alpha (--alpha).");
        return 0;
    }

    private static MegatronNameMap? FindNames(BaseModel? baseModel, RefusalList refusals, RefusalList obstacles)
    {
        if (baseModel is null)
        {
            obstacles.AddWithRemedy(
                RefusalCategory.NeedsBase, "What the layers are called in the Hugging Face model depends on the base model's config.json.", "Name the base model with -BaseModel (--base).");
            return null;
        }

        string? architecture = baseModel.Config.TryGetProperty("architectures", out JsonElement list) && list.ValueKind == JsonValueKind.Array
            && list.GetArrayLength() > 0 && list[0].ValueKind == JsonValueKind.String ? list[0].GetString() : null;
        if (architecture is not null && MegatronNameMap.ForArchitecture(architecture) is { } map)
        {
            return map;
        }

        refusals.AddWithRemedy(
            RefusalCategory.UnknownArchitecture,
            architecture is null ? "The base model's config.json names no architecture." : $"No Megatron names are known for {architecture}.",
            "Name the folder of the Hugging Face model that was trained.");
        return null;
    }

    private static void CheckModules(MegatronRunConfig? run, IReadOnlyList<LoraModule> modules, bool isDora, RefusalList refusals)
    {
        if (isDora && modules.Any(module => module.Magnitude is null))
        {
            refusals.Add(
                RefusalCategory.MixedDora, "Some adapters have a DoRA magnitude and others none.", modules.Where(module => module.Magnitude is null).Select(module => module.Path));
        }

        if (!isDora && modules.Count > 0 && run?.AdapterType?.EndsWith(".DoRA", StringComparison.Ordinal) == true)
        {
            refusals.Add(RefusalCategory.MissingTensors, "The run trained DoRA, and the checkpoint holds no magnitudes.");
        }

        foreach (IGrouping<string, LoraModule> same in modules.GroupBy(module => module.Path, StringComparer.Ordinal).Where(group => group.Count() > 1))
        {
            refusals.Add(RefusalCategory.DuplicateModule, "Two adapters change the same layer.", same.SelectMany(module => module.SourceTensors));
        }
    }

    private static string[] Warnings(string folder) => File.Exists(Path.Combine(folder, "hf", "adapter_config.json"))
        ? ["The run also exported a PEFT adapter to the folder hf; Sway reads the checkpoint itself, whose element type may differ."]
        : [];
}
