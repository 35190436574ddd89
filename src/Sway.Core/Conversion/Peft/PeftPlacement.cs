using Sway.Adapters;
using Sway.Architectures;

namespace Sway.Conversion.Peft;

/// <summary>Finds where the modules of an adapter are in the Hugging Face model that PEFT wraps.</summary>
/// <param name="model">The base model, or null.</param>
/// <param name="family">The name that tells that the base renames or rescales its modules; null when none does.</param>
/// <param name="options">Choices.</param>
/// <param name="refusals">Gets what has no place.</param>
/// <param name="warnings">Gets what was assumed.</param>
internal sealed class PeftPlacement(BaseModel? model, string? family, ConversionOptions options, List<Refusal> refusals, List<string> warnings)
{
    private readonly List<string> _unknown = [];
    private readonly List<string> _assumed = [];
    private readonly List<string> _needBase = [];
    private readonly List<string> _multiplied = [];

    /// <summary>Places every module; what has no place is added to the refusals.</summary>
    public IReadOnlyList<PeftPiece> Place(IReadOnlyList<LoraModule> modules)
    {
        var pieces = new List<PeftPiece>();
        foreach (LoraModule module in modules)
        {
            pieces.AddRange(module.Naming switch
            {
                ModuleNaming.HuggingFace => [new PeftPiece(module.Path, -1, null, module)],
                ModuleNaming.Mlx when model?.Map is { } map => FromMap(map, module),
                ModuleNaming.Mlx => WithoutMap(module),
                _ => Unknown(module),
            });
        }

        Report();
        return pieces;
    }

    private IEnumerable<PeftPiece> FromMap(ModuleMap map, LoraModule module)
    {
        int version = options.TransformersVersion;
        ModuleMatch[] found = [.. map.FindMlx(module.Path).Where(match =>
            (match.Rule.TransformersVersion is null || match.Rule.TransformersVersion == version)
            && (module.Kind == LoraModuleKind.Experts) == (match.Rule.IsPerExpert || match.Rule.Layout != ExpertLayout.None))];
        if (found.Length == 0)
        {
            return Unknown(module);
        }

        if (model!.LayerCount is { } layers && found[0].Layer >= layers)
        {
            refusals.Add(new Refusal(RefusalCategory.UnknownModule, $"The base has only {layers} layers.") { Modules = [module.Path] });
            return [];
        }

        if (module.Kind == LoraModuleKind.Experts && model.ExpertCount is { } experts && module.A.Shape[0] != experts)
        {
            refusals.Add(new Refusal(RefusalCategory.ShapeMismatch, $"The adapter has factors for {module.A.Shape[0]} experts, the base has {experts}.") { Modules = [module.Path] });
            return [];
        }

        // transformers 5 turned the experts' modules and the routers into bare parameters.
        bool bare = version >= 5;
        ModuleMatch best = found.FirstOrDefault(match => (match.Rule.IsParameter || match.Rule.Layout != ExpertLayout.None) == bare, found[0]);
        if (best.Rule.HasMultipliers)
        {
            _multiplied.Add(module.Path);
            return [];
        }

        if (!best.Rule.IsPerExpert)
        {
            return [new PeftPiece(ModulePath.Fill(best.Rule.HuggingFacePath, best.Layer, -1), -1, best.Rule, module)];
        }

        return Enumerable.Range(0, checked((int)module.A.Shape[0]))
            .Select(expert => new PeftPiece(ModulePath.Fill(best.Rule.HuggingFacePath, best.Layer, expert), expert, best.Rule, module));
    }

    /// <summary>Without the base's map only the names that every common decoder shares are safe to keep.</summary>
    private IEnumerable<PeftPiece> WithoutMap(LoraModule module)
    {
        if (module.Kind != LoraModuleKind.Linear || !IsShared(module.Path) || family is not null)
        {
            _needBase.Add(module.Path);
            return [];
        }

        _assumed.Add(module.Path);
        return [new PeftPiece(module.Path, -1, null, module)];
    }

    private PeftPiece[] Unknown(LoraModule module)
    {
        _unknown.Add(module.Path);
        return [];
    }

    private static bool IsShared(string path) => path == "lm_head"
        || (path.StartsWith("model.layers.", StringComparison.Ordinal) && ModulePath.TrySplitLayer(path, out _, out string name)
            && name is "self_attn.q_proj" or "self_attn.k_proj" or "self_attn.v_proj" or "self_attn.o_proj"
                or "mlp.gate_proj" or "mlp.up_proj" or "mlp.down_proj");

    private void Report()
    {
        const string Remedy = "Name the base model's folder with --base (-BaseModel).";
        if (_needBase.Count > 0 || (options.Strict && _assumed.Count > 0))
        {
            refusals.Add(new Refusal(RefusalCategory.NeedsBase, "The names and shapes of modules in transformers depend on the base model, which is not known.")
            {
                Modules = _needBase.Count > 0 ? [.. _needBase] : [.. _assumed],
                Remedy = Remedy,
            });
        }
        else if (_assumed.Count > 0)
        {
            warnings.Add("The base model is not known; module names are taken to be the same in transformers, as in every common decoder. " + Remedy);
        }

        if (_unknown.Count > 0)
        {
            refusals.Add(new Refusal(RefusalCategory.UnknownModule, $"The model type {model?.ModelType} has no such modules in transformers {options.TransformersVersion}.")
            {
                Modules = [.. _unknown],
            });
        }

        if (_multiplied.Count > 0)
        {
            refusals.Add(new Refusal(RefusalCategory.UnmappableModule, $"mlx-lm multiplies these weights of {model?.ModelType} when it loads them; the delta on the original weights is not the adapter's.")
            {
                Modules = [.. _multiplied],
            });
        }
    }
}
