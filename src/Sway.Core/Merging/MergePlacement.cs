using System.Text.Json;
using Sway.Adapters;
using Sway.Architectures;
using Sway.Conversion;
using Sway.Conversion.Mlx;
using Sway.Tensors;

namespace Sway.Merging;

/// <summary>Finds the stored tensors of the base that each module of an adapter changes.</summary>
internal sealed class MergePlacement(BaseModel model, TensorFile weights, LoraAdapter adapter, List<Refusal> refusals, bool safeMerge = false)
{
    private readonly bool _fanInFanOut = adapter.Config.ValueKind == JsonValueKind.Object
        && adapter.Config.TryGetProperty("fan_in_fan_out", out JsonElement fan) && fan.ValueKind == JsonValueKind.True;

    private readonly ConversionOptions _options = new();
    private readonly Dictionary<string, List<MergeTerm>> _terms = new(StringComparer.Ordinal);
    private readonly List<string> _unplaced = [];

    /// <summary>The terms of every stored tensor that changes, by the tensor's name.</summary>
    public IReadOnlyDictionary<string, List<MergeTerm>> Place(IReadOnlyList<LoraModule> modules)
    {
        foreach (LoraModule module in modules)
        {
            bool placed = module.Packing == ExpertPacking.PeftParameter ? PlacePacked(module)
                : module.Naming == ModuleNaming.HuggingFace ? PlaceHuggingFace(module)
                : module.Naming == ModuleNaming.Mlx && PlaceMlx(module);
            if (!placed)
            {
                _unplaced.Add(module.Path);
            }
        }

        if (_unplaced.Count > 0)
        {
            refusals.Add(new Refusal(RefusalCategory.UnknownModule, "The base model's files hold no weight of these modules in a layout that fits their deltas.")
            {
                Modules = [.. _unplaced],
                Remedy = "Check that --base (-BaseModel) is the model that the adapter was trained on.",
            });
        }

        return _terms;
    }

    private ExpertPlacement Experts => new(model, weights, Add);

    private bool PlaceHuggingFace(LoraModule module) =>
        PlaceMatrix(module, module.Path, FanInFanOut(module.Path))
        || (module is { Kind: LoraModuleKind.Linear, Magnitude: null } && Experts.PlaceOne(module.Path, module.A, module.B, module.Scaling, Peft));

    private bool PlaceMlx(LoraModule module)
    {
        if (module.Kind == LoraModuleKind.Experts)
        {
            return Experts.PlaceAll(module.Path, module.A, module.B, module.Scaling, MergeRounding.Mlx);
        }

        // A checkpoint that mlx-lm wrote has its own names and shapes.
        bool rescaled = model.Map?.FindMlx(module.Path).Any(match => match.Rule.HasMultipliers) == true
            && weights.Metadata.GetValueOrDefault("format") != "mlx";
        if (!rescaled && weights.Find(module.Path + ".weight") is { } own && FitsMatrix(module, own, transposed: false))
        {
            return Add(own, new MergeTerm
            {
                Left = Left(module),
                Right = Right(module),
                Scaling = module.Scaling,
                Rounding = MergeRounding.Mlx,
                Magnitude = module.Magnitude,
            });
        }

        return model.Map is { } map
            && map.FindMlx(module.Path).Any(match => !match.Rule.HasMultipliers && match.Rule.Rows.IsAll && PlaceMatrix(module, match.Path, match.Rule.IsConv1D));
    }

    /// <summary>PEFT's two matrices of all experts, unpacked as the conversion unpacks them.</summary>
    private bool PlacePacked(LoraModule module)
    {
        if (model.Map is not { } map || module.ParameterName is null)
        {
            return false;
        }

        var resolution = new MlxResolution(adapter, model, _options);
        PackedExperts.Resolve(resolution, map, module);
        if (!resolution.Refusals.IsEmpty)
        {
            refusals.AddRange(resolution.Refusals.ToList());
            return true;
        }

        ExpertPlacement experts = Experts;
        return resolution.Modules.TrueForAll(part => experts.PlaceAll(part.Path, part.A, part.B, part.Scaling, MergeRounding.PeftDeltaFirst));
    }

    private bool PlaceMatrix(LoraModule module, string path, bool transposed)
    {
        if (model.FindWeight(path) is not { } weight || !FitsMatrix(module, weight, transposed))
        {
            return false;
        }

        bool embedding = module.Kind == LoraModuleKind.Embedding;
        return Add(weight, new MergeTerm
        {
            Left = transposed && !embedding ? module.A.Transpose() : Left(module),
            Right = transposed && !embedding ? module.B.Transpose() : Right(module),
            Scaling = module.Scaling,
            Rounding = module.Naming == ModuleNaming.Mlx ? MergeRounding.Mlx : Peft,
            Transposed = transposed || (embedding && module.Naming != ModuleNaming.Mlx),
            Magnitude = module.Magnitude,
        });
    }

    private MergeRounding Peft => safeMerge ? MergeRounding.PeftDeltaFirst : MergeRounding.PeftOnce;

    /// <summary>An embedding's table is (vocab, dim), and its delta the transposed product.</summary>
    private static TensorExpression Left(LoraModule module) => module.Kind == LoraModuleKind.Embedding ? module.A.Transpose() : module.B;

    private static TensorExpression Right(LoraModule module) => module.Kind == LoraModuleKind.Embedding ? module.B.Transpose() : module.A;

    private bool FitsMatrix(LoraModule module, TensorInfo weight, bool transposed)
    {
        if (weight.Shape.Length != 2 || module.A.Rank != 2 || module.B.Rank != 2)
        {
            return false;
        }

        long columns = QuantizedColumns(weight) ?? weight.Shape[1];
        long rows = Left(module).Shape[0];
        long width = Right(module).Shape[1];
        return transposed && module.Kind != LoraModuleKind.Embedding
            ? (weight.Shape[0], columns) == (width, rows)
            : (weight.Shape[0], columns) == (rows, width);
    }

    private long? QuantizedColumns(TensorInfo weight) =>
        weight.DType == DType.U32 && model.Config.TryGetProperty("quantization", out JsonElement value)
        && value.TryGetProperty("bits", out JsonElement bits) && bits.ValueKind == JsonValueKind.Number && bits.TryGetInt32(out int count) && count > 0 ? weight.Shape[1] * 32 / count : null;

    private bool FanInFanOut(string path) => model.Map?.Find(path) is { Count: > 0 } found ? found[0].Rule.IsConv1D : _fanInFanOut;

    private bool Add(TensorInfo weight, MergeTerm term)
    {
        if (!_terms.TryGetValue(weight.Name, out List<MergeTerm>? terms))
        {
            _terms.Add(weight.Name, terms = []);
        }

        if (terms.Exists(other => (other.RowStart, other.RowStep, other.ColumnPart) == (term.RowStart, term.RowStep, term.ColumnPart)))
        {
            refusals.Add(new Refusal(RefusalCategory.DuplicateModule, $"Two modules of the adapter change {weight.Name}: a tied head and embedding merge only as one.")
            {
                Modules = [weight.Name],
            });
        }

        terms.Add(term);
        return true;
    }
}
