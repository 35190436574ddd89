using Sway.Adapters;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Conversion.Peft;

/// <summary>Plans the PEFT form of an adapter that was read in another format.</summary>
public static class PeftPlanner
{
    private const string TensorFileName = "adapter_model.safetensors";

    /// <summary>Plans from headers alone. The plan owns the adapter.</summary>
    /// <param name="adapter">The adapter in neutral form.</param>
    /// <param name="model">The base model, or null when none was found.</param>
    /// <param name="source">Where the base model was found.</param>
    /// <param name="options">Choices.</param>
    /// <exception cref="ConversionRefusedException">PEFT cannot express the adapter exactly.</exception>
    public static ConversionPlan Plan(LoraAdapter adapter, BaseModel? model, BaseSource source, ConversionOptions options) =>
        adapter.Format == AdapterFormat.Peft
            ? throw new ConversionRefusedException(adapter.Path, [new Refusal(RefusalCategory.AlreadyPeft, "The adapter is a PEFT adapter already.")])
            : PlanModules(adapter, model, source, options);

    /// <summary>As <see cref="Plan"/>, for modules in any naming that can be placed.</summary>
    internal static ConversionPlan PlanModules(LoraAdapter adapter, BaseModel? model, BaseSource source, ConversionOptions options)
    {
        var refusals = new List<Refusal>();
        var warnings = new List<string>(adapter.Warnings);
        if (options.Strict && adapter.Warnings.Count > 0)
        {
            refusals.Add(new Refusal(RefusalCategory.BadConfig, "What the files record is doubtful: " + string.Join(" ", adapter.Warnings)));
        }

        Refusal[] obstacles = [.. adapter.Obstacles];
        refusals.AddRange(obstacles.Where(refusal => !options.AllowLoss.Contains(refusal.Category) || !LossCategories.CanBeAllowed(refusal.Category)));
        IReadOnlyList<PeftPiece> pieces = new PeftPlacement(model, RenamingFamilies.Of(adapter), options, refusals, warnings).Place(adapter.Modules);
        IReadOnlyList<PeftTarget> targets = PeftTargets.Build(pieces, model, refusals);
        refusals.AddRange(targets.Select(target => PeftShapes.Problem(target, model)).OfType<Refusal>());
        CheckMixedDora(targets, refusals);
        if (targets.Where(target => !double.IsFinite(target.Alpha)).Select(target => target.Path).ToArray() is { Length: > 0 } boundless)
        {
            refusals.Add(new Refusal(RefusalCategory.NonFinite, "The scale times the rank, which PEFT records as lora_alpha, is infinite.") { Modules = boundless });
        }

        if (targets.Count == 0 && refusals.Count == 0)
        {
            refusals.Add(new Refusal(RefusalCategory.MissingWeights, "Nothing of the adapter is left to convert."));
        }

        string? baseName = BaseName(adapter, model, options, refusals, warnings);
        if (refusals.Count > 0)
        {
            throw new ConversionRefusedException(adapter.Path, refusals);
        }

        return Assemble(adapter, model, source, options, targets, baseName, warnings, obstacles);
    }

    private static ConversionPlan Assemble(
        LoraAdapter adapter,
        BaseModel? model,
        BaseSource source,
        ConversionOptions options,
        IReadOnlyList<PeftTarget> targets,
        string? baseName,
        List<string> warnings,
        IEnumerable<Refusal> obstacles)
    {
        (int rank, double scaling) = targets.GroupBy(target => (target.Rank, target.Scaling))
            .OrderByDescending(same => same.Count()).ThenBy(same => same.Key.Rank).First().Key;
        double dropout = adapter.Dropout;
        if (dropout > 0 && targets.Any(target => target.IsParameter))
        {
            warnings.Add("lora_dropout is written as 0, because PEFT has none on bare parameters; it matters only for further training.");
            dropout = 0;
        }

        if (targets.Any(target => target.Path == "lm_head" && model?.IsTied == true))
        {
            warnings.Add("The head of this model is its embedding: the adapter changes both, as in training, but PEFT's merge_and_unload would add both changes to the one shared tensor.");
        }

        var config = new PeftConfigWriter
        {
            Targets = targets,
            Rank = rank,
            Alpha = scaling * rank,
            Dropout = dropout,
            UseDora = targets.Any(target => target.Magnitude is not null),
            BaseModelName = baseName,
        };
        (PlannedTensor Tensor, IReadOnlyList<string> Sources)[] tensors = [.. PeftTensors.Of(targets)];
        string[] losses = [.. obstacles.Select(refusal => refusal.Category.ToString()).Distinct().Order(StringComparer.Ordinal)];
        string[] dropped = [.. adapter.Extras.Select(extra => extra.Name).Concat(obstacles.SelectMany(refusal => refusal.Modules)).Distinct(StringComparer.Ordinal)];
        return new ConversionPlan(adapter)
        {
            Tensors = [.. tensors.Select(entry => entry.Tensor)],
            TensorFileName = TensorFileName,
            Configuration = config.ToJson(),
            Fates = PeftFates.Of(adapter, tensors),
            Verification = (folder, token) => PeftVerifier.LargestDifference(adapter, folder, model, token),
            Metadata = Metadata(adapter, losses, dropped),
            Summary = new AdapterConversionResult
            {
                FullName = "",
                Source = adapter.Path,
                SourceFormat = adapter.Format.ToString(),
                Format = nameof(ConversionTarget.Peft),
                Method = config.UseDora ? "dora" : "lora",
                Rank = rank,
                Scale = scaling,
                Baked = false,
                DTypes = [.. tensors.Select(entry => entry.Tensor.Value.DType.SafetensorsName()).Distinct().Order(StringComparer.Ordinal)],
                Keys = [.. config.TargetModules, .. config.TargetParameters],
                NumLayers = targets.Select(target => ModulePath.TrySplitLayer(target.Path, out int layer, out _) ? layer : -1).Where(layer => layer >= 0).Distinct().Count(),
                TargetModules = [.. targets.Select(target => target.Path[(target.Path.LastIndexOf('.') + 1)..]).Distinct().Order(StringComparer.Ordinal)],
                ModuleCount = targets.Count,
                LeftOut = [.. dropped.Select(name => name + ": not part of a low-rank delta")],
                Losses = losses,
                BaseModel = model?.Folder,
                BaseSource = source.ToString(),
                LoadsIn = [LoadsIn(targets, options)],
                Warnings = warnings,
                SourceBytes = adapter.FileLength,
                WrittenBytes = 0,
                Seconds = 0,
            },
        };
    }

    /// <summary>PEFT's own entry, and what was left out on request, which PEFT's configuration has no field for.</summary>
    private static Dictionary<string, string> Metadata(LoraAdapter adapter, string[] losses, string[] dropped)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal) { ["format"] = "pt" };
        if (losses.Length > 0)
        {
            metadata.Add("sway_source_format", adapter.Format.ToString().ToLowerInvariant());
            metadata.Add("sway_losses", string.Join(",", losses));
            metadata.Add("sway_left_out", string.Join(",", dropped));
        }

        return metadata;
    }

    private static string LoadsIn(IReadOnlyList<PeftTarget> targets, ConversionOptions options)
    {
        if (targets.Any(target => target.IsParameter))
        {
            return "PEFT 0.19 or later with transformers " + (options.TransformersVersion >= 5 ? "5" : "4");
        }

        return targets.Any(target => target.Rule?.IsPerExpert == true) ? "PEFT with transformers 4 (PEFT 0.19 or later converts it for transformers 5)" : "PEFT";
    }

    private static void CheckMixedDora(IReadOnlyList<PeftTarget> targets, List<Refusal> refusals)
    {
        string[] plain = [.. targets.Where(target => target.Magnitude is null).Select(target => target.Path)];
        if (plain.Length > 0 && plain.Length < targets.Count && refusals.Count == 0)
        {
            refusals.Add(new Refusal(RefusalCategory.MixedDora, "Some modules are DoRA and some are not; PEFT knows one kind for all.") { Modules = plain });
        }
    }

    /// <summary>transformers cannot load a repository that mlx-lm quantized, so its name is not recorded.</summary>
    private static string? BaseName(LoraAdapter adapter, BaseModel? model, ConversionOptions options, List<Refusal> refusals, List<string> warnings)
    {
        if (options.BaseName is not null)
        {
            return options.BaseName;
        }

        bool quantized = model?.Config.TryGetProperty("quantization", out _) == true
            || adapter.BaseModelName?.StartsWith("mlx-community/", StringComparison.OrdinalIgnoreCase) == true;
        if (!quantized)
        {
            return adapter.BaseModelName;
        }

        string text = $"The recorded base model {adapter.BaseModelName} is quantized for MLX, which transformers cannot load.";
        const string Remedy = "Name the original model with --base-name (-BaseName).";
        if (options.Strict)
        {
            refusals.Add(new Refusal(RefusalCategory.NeedsBase, text) { Remedy = Remedy });
        }
        else
        {
            warnings.Add($"{text} base_model_name_or_path is left empty. {Remedy}");
        }

        return null;
    }
}
