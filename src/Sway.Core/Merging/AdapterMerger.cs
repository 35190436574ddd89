using Sway.Adapters;
using Sway.Architectures;
using Sway.Conversion;
using Sway.Conversion.Mlx;
using Sway.IO;
using Sway.Tensors;

namespace Sway.Merging;

/// <summary>
/// Merges an adapter into its base model: PEFT adapters as <c>merge_and_unload</c> does, mlx-lm adapters as
/// <c>mlx_lm.fuse</c> does, with their roundings. The output keeps the base's files, names and types.
/// </summary>
public static class AdapterMerger
{
    /// <summary>Writes the merged model.</summary>
    /// <param name="path">The adapter.</param>
    /// <param name="destination">The output folder itself.</param>
    /// <param name="options">Choices.</param>
    /// <param name="progress">Gets bytes written and in all, of each file in turn.</param>
    /// <param name="cancellationToken">Stops between tiles and removes what was written.</param>
    /// <exception cref="ConversionRefusedException">The result would not be the adapter's function.</exception>
    /// <exception cref="OutputException">The output exists already.</exception>
    public static AdapterMergeResult Merge(
        string path, string destination, MergeOptions options, IProgress<ByteProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var open = new AdapterOpenOptions { AdapterName = options.AdapterName, Alpha = options.Alpha, BaseModel = options.BaseModel };
        using LoraAdapter adapter = AdapterReader.Open(path, open);
        using BaseModel? model = BaseModelLocator.Open(adapter.Path, adapter.BaseModelName, options.BaseModel, search: true, out _);
        var refusals = new List<Refusal>(adapter.Obstacles);
        if (model?.Weights is not { } weights)
        {
            refusals.Add(new Refusal(RefusalCategory.NeedsBase, "Merging needs the base model's safetensors weights, which were not found.")
            {
                Remedy = "Name the base model's folder with --base (-BaseModel).",
            });
            throw new ConversionRefusedException(adapter.Path, refusals);
        }

        AddExtras(adapter, refusals);
        IReadOnlyDictionary<string, List<MergeTerm>> terms = new MergePlacement(model, weights, adapter, refusals, options.SafeMerge)
            .Place(WithoutTiedHead(adapter, model, refusals));
        AffineQuantization? quantization = MergedModel.Quantization(model);
        var warnings = new List<string>(adapter.Warnings);
        Check(adapter, model, terms, quantization is not null && !options.Dequantize, refusals, warnings);
        WarnOfMissing(adapter, model, warnings);
        if (refusals.Count > 0)
        {
            throw new ConversionRefusedException(adapter.Path, refusals);
        }

        string full = CheckDestination(destination, adapter.Path, model.Folder, options.Force);
        var result = new AdapterMergeResult
        {
            FullName = full,
            Sources = [adapter.Path],
            BaseModel = model.Folder,
            Method = "Model",
            ModuleCount = adapter.Modules.Count,
            TensorCount = terms.Count,
            Warnings = warnings,
            WrittenBytes = 0,
        };
        if (options.WhatIf)
        {
            return result;
        }

        FiniteGuard.Require(adapter, cancellationToken);
        using AtomicDirectory output = AtomicDirectory.Create(full);
        var finite = new FiniteGuard();
        var merged = new MergedModel(model, weights, terms, options.Dequantize);
        long written = MergedModelFiles.Write(
            output.TemporaryPath, model.Folder, weights, merged, options.Dequantize && quantization is not null, finite, progress, cancellationToken);
        finite.ThrowIfAny(adapter.Path);
        output.Commit(options.Force, cancellationToken);
        return result with { TensorCount = merged.Changed, WrittenBytes = written };
    }

    internal static string CheckDestination(string destination, string adapter, string? baseFolder, bool force)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(destination));
        if (full == adapter || full == baseFolder || adapter.StartsWith(full + Path.DirectorySeparatorChar, StringComparison.Ordinal)
            || baseFolder?.StartsWith(full + Path.DirectorySeparatorChar, StringComparison.Ordinal) == true)
        {
            throw new OutputException(OutputErrorKind.IsSource, $"{destination} holds what is to be read.") { Path = full };
        }

        return !force && (Directory.Exists(full) || File.Exists(full))
            ? throw new OutputException(OutputErrorKind.Exists, $"{destination} exists already.") { Path = full }
            : full;
    }

    /// <summary>Of a tied head and embedding only the embedding is stored; the mirrored pair that PEFT keeps for the head is the
    /// same change again, and any other change of the head alone has no place.</summary>
    private static IReadOnlyList<LoraModule> WithoutTiedHead(LoraAdapter adapter, BaseModel model, List<Refusal> refusals)
    {
        LoraModule[] heads = [.. adapter.Modules.Where(module => TiedModels.IsHead(module.Path))];
        if (heads.Length == 0 || model.Tying is false)
        {
            return adapter.Modules;
        }

        LoraModule[] tables = [.. adapter.Modules.Where(module => module.Kind == LoraModuleKind.Embedding && TiedModels.IsTokenTable(module.Path))];
        if (model.IsTied && heads is [var head] && tables is [var table] && TiedModels.Mirrored(table, head))
        {
            return [.. adapter.Modules.Where(module => module != head)];
        }

        refusals.Add(new Refusal(RefusalCategory.TiedHead, model.IsTied ? "Head and embedding of the base are one; a change of the head alone cannot be merged." : TiedModels.Unknown)
        {
            Modules = [.. heads.Select(module => module.Path)],
            Remedy = model.IsTied ? "Merge it into a copy of the base whose head is a tensor of its own (tie_word_embeddings false)." : TiedModels.UnknownRemedy,
        });
        return [.. adapter.Modules.Except(heads)];
    }

    private static void WarnOfMissing(LoraAdapter adapter, BaseModel model, List<string> warnings)
    {
        var resolution = new MlxResolution(adapter, model, new ConversionOptions());
        TargetCoverage.Check(resolution);
        string[] missing = [.. resolution.Refusals.ToList().SelectMany(refusal => refusal.Modules)];
        if (missing.Length > 0)
        {
            warnings.Add($"The configuration targets {missing.Length} modules that have no tensors in the file ({missing[0]} first); they stay as the base has them.");
        }
    }

    private static void AddExtras(LoraAdapter adapter, List<Refusal> refusals)
    {
        string[] others = [.. adapter.Extras
            .Where(extra => extra.Kind is not (AdapterExtraKind.BaseLayerCopy or AdapterExtraKind.TrainingBuffer)).Select(extra => extra.Name)];
        if (others.Length > 0 && adapter.Obstacles.Count == 0)
        {
            refusals.Add(new Refusal(RefusalCategory.ModulesToSave, "The adapter holds tensors beside its low-rank deltas, which merging does not apply.")
            {
                Modules = others,
            });
        }
    }

    private static void Check(
        LoraAdapter adapter,
        BaseModel model,
        IReadOnlyDictionary<string, List<MergeTerm>> terms,
        bool quantizesAgain,
        List<Refusal> refusals,
        List<string> warnings)
    {
        CheckDora(adapter, terms, refusals);
        if (quantizesAgain)
        {
            warnings.Add("The base is quantized and is quantized again after merging, which moves its outputs; --dequantize (-Dequantize) keeps them exact.");
        }

        if (model.IsTied && !adapter.Modules.Any(module => TiedModels.IsHead(module.Path)) && adapter.Modules.FirstOrDefault(module => module is { Kind: LoraModuleKind.Embedding, AlsoChangesTiedHead: false }) is { } embedding)
        {
            warnings.Add($"The head of this model is its embedding: merging {embedding.Path} changes both, as PEFT's merge does, while the unmerged adapter changes the input only.");
        }
    }

    /// <summary>Refuses DoRA where its normalised rows are not the rows of one stored weight.</summary>
    internal static void CheckDora(LoraAdapter adapter, IReadOnlyDictionary<string, List<MergeTerm>> terms, List<Refusal> refusals)
    {
        string[] shared = [.. terms.Where(entry => entry.Value.Count > 1 && entry.Value.Exists(term => term.Magnitude is not null)).Select(entry => entry.Key)];
        if (shared.Length > 0)
        {
            refusals.Add(new Refusal(RefusalCategory.MixedDora, "DoRA on parts of one stored weight is not merged.") { Modules = shared });
        }

        LoraModule[] dora = [.. adapter.Modules.Where(module => module.Magnitude is not null && module.Kind == LoraModuleKind.Experts)];
        if (dora.Length > 0)
        {
            refusals.Add(new Refusal(RefusalCategory.DoraExperts, "DoRA on experts is not merged.") { Modules = [.. dora.Select(module => module.Path)] });
        }
    }
}
