using System.Text.RegularExpressions;
using Sway.Adapters;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Conversion.Mlx;

/// <summary>Finds the place of every adapted module in mlx-lm's model of the base.</summary>
internal static partial class ModuleResolver
{
    private const string NameBase = "Name the base model's folder with -BaseModel (--base).";

    public static void Resolve(MlxResolution resolution)
    {
        LoraAdapter adapter = resolution.Adapter;
        if (adapter.Modules.Any(module => module.Naming == ModuleNaming.Mlx))
        {
            resolution.Refusals.Add(RefusalCategory.AlreadyMlx, "The adapter is in the format of mlx-lm already.");
            return;
        }

        if (resolution.Base is null)
        {
            WithoutBase(resolution);
            return;
        }

        ModuleMap? map = resolution.Base.Map;
        if (map is null || !map.Loadable)
        {
            resolution.Refusals.AddWithRemedy(
                RefusalCategory.UnknownArchitecture,
                map is null
                    ? $"The base's model type {resolution.Base.ModelType} has no verified module map."
                    : $"mlx-lm cannot load a checkpoint of model type {resolution.Base.ModelType} as transformers writes it.",
                "Use -BaseModel (--base) with the right base, if this is not it.");
            return;
        }

        var experts = new PerExpertStacks(resolution);
        foreach (LoraModule module in adapter.Modules)
        {
            ResolveModule(resolution, map, module, experts);
        }

        experts.Finish();
    }

    private static void ResolveModule(MlxResolution resolution, ModuleMap map, LoraModule module, PerExpertStacks experts)
    {
        if (module.Packing == ExpertPacking.PeftParameter)
        {
            PackedExperts.Resolve(resolution, map, module);
            return;
        }

        if (resolution.Base!.IsTied && TiedModels.IsHead(module.Path))
        {
            return; // mlx-lm has no head to adapt here; what the factors say is compared with the embedding's.
        }

        IReadOnlyList<ModuleMatch> matches = map.Find(module.Path);
        if (matches.Count == 0)
        {
            // A bare 2-D parameter (a router) is adapted under its module's name.
            matches = [.. map.FindParameters(module.Path).Where(match => match.Rule.IsParameter || match.Rule.Unmappable is not null)];
        }

        if (matches.Count == 0)
        {
            resolution.Refusals.AddWithRemedy(
                RefusalCategory.UnknownModule, $"The model type {map.ModelType} has no such module.", "Check that the base is the one the adapter was trained on.", module.Path);
            return;
        }

        if (matches[0].Layer >= 0 && resolution.Base!.LayerCount is { } layers && matches[0].Layer >= layers)
        {
            resolution.Refusals.Add(RefusalCategory.UnknownModule, $"The base has only {layers} layers.", module.Path);
            return;
        }

        if (matches.FirstOrDefault(match => match.Rule.Unmappable is not null) is { Rule: { } bad })
        {
            RefuseUnmappable(resolution, bad.Unmappable!, module);
            return;
        }

        if (!BaseShapes.Check(resolution, matches[0], module))
        {
            return;
        }

        foreach (ModuleMatch match in matches)
        {
            if (match.Rule.IsPerExpert)
            {
                experts.Add(match, module);
            }
            else
            {
                Place(resolution, match, module);
            }
        }
    }

    private static void Place(MlxResolution resolution, ModuleMatch match, LoraModule module)
    {
        string path = match.Rule.MlxPathOf(match.Layer);
        TensorExpression b = module.B;
        TensorExpression? magnitude = module.Magnitude;
        string note = path == module.Path ? "" : $"renamed from {module.Path}";
        if (!match.Rule.Rows.IsAll)
        {
            b = Rows(b, 0, match.Rule.Rows);
            magnitude = magnitude is null ? null : Rows(magnitude, 0, match.Rule.Rows);
            note += $"; part {match.Rule.Rows.Index + 1} of {match.Rule.Rows.Of} of its outputs";
        }

        if (match.Rule.HasMultipliers && !Multipliers.Apply(resolution, match, module.Path, ref b, ref magnitude, ref note))
        {
            return;
        }

        resolution.Modules.Add(new MlxModule
        {
            Path = path,
            Kind = module.Kind == LoraModuleKind.Embedding ? MlxModuleKind.Embedding : MlxModuleKind.Linear,
            A = module.A,
            B = b,
            Magnitude = magnitude,
            Scaling = module.Scaling,
            SourceTensors = module.SourceTensors,
            Note = note.TrimStart(';', ' '),
        });
    }

    internal static TensorExpression Rows(TensorExpression value, int axis, RowPart part)
    {
        long count = value.Shape[axis] / part.Of;
        return part.Interleaved ? value.Slice(axis, part.Index, count, part.Of) : value.Slice(axis, part.Index * count, count);
    }

    internal static void RefuseUnmappable(MlxResolution resolution, string reason, LoraModule module)
    {
        (RefusalCategory category, string text) = reason switch
        {
            "vision" => (RefusalCategory.VisionTarget, "The adapter acts on the vision or audio part, which mlx-lm drops."),
            "convolution" => (RefusalCategory.ConvolutionTarget, "Convolutions are adapted; mlx-lm can adapt none."),
            _ => (RefusalCategory.UnmappableModule, $"mlx-lm cannot adapt this module: {reason}."),
        };
        resolution.RefuseOrLeaveOut(category, text, null, module.SourceTensors);
    }

    private static void WithoutBase(MlxResolution resolution)
    {
        LoraAdapter adapter = resolution.Adapter;
        string[] foreign = [.. adapter.Modules.Where(m => m.Kind != LoraModuleKind.Linear || !CommonPath().IsMatch(m.Path)).Select(m => m.Path)];
        string? betrayal = RenamingFamilies.Of(adapter);
        if (foreign.Length > 0)
        {
            resolution.Refusals.AddWithRemedy(
                RefusalCategory.NeedsBase, "Where these modules are in mlx-lm's model depends on the base, which was not found.", NameBase, foreign);
        }
        else if (betrayal is not null)
        {
            resolution.Refusals.AddWithRemedy(
                RefusalCategory.NeedsBase, $"The base ({betrayal}) is of a family whose modules mlx-lm renames or rescales.", NameBase);
        }
        else if (resolution.Options.Strict)
        {
            resolution.Refusals.AddWithRemedy(
                RefusalCategory.NeedsBase, "The base was not found, and -Strict allows no assumption about its module names.", NameBase);
        }
        else
        {
            resolution.Warnings.Add("The base model was not found; module names are assumed to be the same in mlx-lm, as they are in llama, mistral, qwen and other common decoders. Name it with -BaseModel (--base) to be sure.");
            resolution.Modules.AddRange(adapter.Modules.Select(module => new MlxModule
            {
                Path = module.Path,
                Kind = MlxModuleKind.Linear,
                A = module.A,
                B = module.B,
                Magnitude = module.Magnitude,
                Scaling = module.Scaling,
                SourceTensors = module.SourceTensors,
            }));
        }
    }

    [GeneratedRegex(@"\Amodel\.layers\.(0|[1-9][0-9]{0,4})\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 60_000)]
    internal static partial Regex CommonPath();
}
