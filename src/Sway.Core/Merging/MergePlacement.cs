using System.Text.Json;
using Sway.Adapters;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Merging;

/// <summary>Finds the stored tensors of the base that each module of an adapter changes.</summary>
internal sealed class MergePlacement(BaseModel model, TensorFile weights, LoraAdapter adapter, List<Refusal> refusals, bool safeMerge = false)
{
    private readonly bool _fanInFanOut = adapter.Config.ValueKind == JsonValueKind.Object
        && adapter.Config.TryGetProperty("fan_in_fan_out", out JsonElement fan) && fan.ValueKind == JsonValueKind.True;

    private readonly Dictionary<string, List<MergeTerm>> _terms = new(StringComparer.Ordinal);
    private readonly List<string> _unplaced = [];

    /// <summary>The terms of every stored tensor that changes, by the tensor's name.</summary>
    public IReadOnlyDictionary<string, List<MergeTerm>> Place(IReadOnlyList<LoraModule> modules)
    {
        foreach (LoraModule module in modules)
        {
            bool placed = module.Packing == ExpertPacking.PeftParameter ? PlacePacked(module)
                : module.Naming == ModuleNaming.HuggingFace ? PlaceMatrix(module, module.Path, FanInFanOut(module.Path))
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

    private bool PlaceMlx(LoraModule module)
    {
        // A checkpoint that mlx-lm wrote has its own names and shapes.
        if (weights.Find(module.Path + ".weight") is { } own && (module.Kind == LoraModuleKind.Experts || FitsMatrix(module, own, transposed: false)))
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

        if (model.Map is not { } map)
        {
            return false;
        }

        ModuleMatch[] found = [.. map.FindMlx(module.Path)];
        if (module.Kind == LoraModuleKind.Experts)
        {
            return PlaceExperts(found, module.A, module.B, module.Scaling, MergeRounding.Mlx, module.Magnitude);
        }

        return found.Any(match => !match.Rule.HasMultipliers && match.Rule.Rows.IsAll && PlaceMatrix(module, match.Path, match.Rule.IsConv1D));
    }

    /// <summary>PEFT's two matrices of all experts, unpacked by the sizes that the base's own weights have.</summary>
    private bool PlacePacked(LoraModule module)
    {
        if (model.Map is not { } map || model.ExpertCount is not { } experts || module.ParameterName is null
            || module.A.Shape[0] % experts != 0 || module.B.Shape[1] % experts != 0)
        {
            return false;
        }

        // Rows of A are expert-major, columns of B rank-major.
        TensorExpression a = module.A.SplitAxis(0, experts);
        TensorExpression b = module.B.SplitAxis(1, module.B.Shape[1] / experts).Permute(2, 0, 1);
        ModuleMatch[] parameters = [.. map.FindParameters(module.Path).Where(match =>
            match.Path.EndsWith("." + module.ParameterName, StringComparison.Ordinal) && match.Rule.MlxPath is not null)];
        if (parameters.Length == 0)
        {
            return false;
        }

        long parts = parameters[0].Rule.Rows.Of;
        bool straight = SizesFit(parameters[0], a.Shape[2], b.Shape[1] / parts);
        bool exchanged = SizesFit(parameters[0], b.Shape[1], a.Shape[2] / parts);
        if (straight == exchanged)
        {
            return false;
        }

        if (exchanged)
        {
            (a, b) = (b.Permute(0, 2, 1), a.Permute(0, 2, 1));
        }

        // A router is a bare 2-D parameter; experts are several.
        bool all = true;
        foreach (ModuleMatch parameter in parameters)
        {
            RowPart rows = parameter.Rule.Rows;
            TensorExpression part = rows.IsAll ? b
                : rows.Interleaved ? b.Slice(1, rows.Index, b.Shape[1] / rows.Of, rows.Of)
                : b.Slice(1, rows.Index * (b.Shape[1] / rows.Of), b.Shape[1] / rows.Of);
            all &= PlaceExperts([.. map.FindMlx(ModulePath.Fill(parameter.Rule.MlxPath!, parameter.Layer, -1))], a, part, module.Scaling, MergeRounding.PeftDeltaFirst, null);
        }

        return all;
    }

    private bool SizesFit(ModuleMatch parameter, long input, long output)
    {
        foreach (ModuleMatch match in model.Map!.FindMlx(ModulePath.Fill(parameter.Rule.MlxPath!, parameter.Layer, -1)))
        {
            if (match.Rule.IsPerExpert && model.FindWeight(ModulePath.Fill(match.Rule.HuggingFacePath, match.Layer, 0)) is { } single)
            {
                return single.Shape.AsSpan().SequenceEqual([output, input]);
            }

            if (match.Rule.Layout != ExpertLayout.None && model.FindWeight(match.Path) is { Shape.Length: 3 } stack)
            {
                (long rows, long columns) = match.Rule.Layout == ExpertLayout.OutIn ? (stack.Shape[1], stack.Shape[2]) : (stack.Shape[2], stack.Shape[1]);
                return rows == output * match.Rule.Rows.Of && columns == input;
            }
        }

        return false;
    }

    private bool PlaceExperts(
        ModuleMatch[] found, TensorExpression a, TensorExpression b, double scaling, MergeRounding rounding, TensorExpression? magnitude)
    {
        ModuleMatch single = Array.Find(found, match => match.Rule.IsPerExpert);
        int experts = checked((int)a.Shape[0]);
        if (single.Rule is not null && model.FindWeight(ModulePath.Fill(single.Rule.HuggingFacePath, single.Layer, 0)) is not null)
        {
            return Enumerable.Range(0, experts).All(expert =>
                model.FindWeight(ModulePath.Fill(single.Rule.HuggingFacePath, single.Layer, expert)) is { Shape.Length: 2 } weight
                && weight.Shape[0] == b.Shape[1] && weight.Shape[1] == a.Shape[2]
                && Add(weight, new MergeTerm { Left = b.Index(0, expert), Right = a.Index(0, expert), Scaling = scaling, Rounding = rounding, Magnitude = magnitude }));
        }

        ModuleMatch stacked = Array.Find(found, match => match.Rule.Layout == ExpertLayout.OutIn && model.FindWeight(match.Path) is { Shape.Length: 3 });
        if (stacked.Rule is null || model.FindWeight(stacked.Path) is not { } stack)
        {
            return false;
        }

        RowPart rows = stacked.Rule.Rows;
        return stack.Shape[0] == experts && stack.Shape[1] == b.Shape[1] * rows.Of && stack.Shape[2] == a.Shape[2] && Add(stack, new MergeTerm
        {
            Left = b,
            Right = a,
            Scaling = scaling,
            Rounding = rounding,
            RowStart = rows.Interleaved ? rows.Index : rows.Index * b.Shape[1],
            RowStep = rows.Interleaved ? rows.Of : 1,
        });
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
            Rounding = module.Naming == ModuleNaming.Mlx ? MergeRounding.Mlx : safeMerge ? MergeRounding.PeftDeltaFirst : MergeRounding.PeftOnce,
            Transposed = transposed || (embedding && module.Naming != ModuleNaming.Mlx),
            Magnitude = module.Magnitude,
        });
    }

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
        && value.TryGetProperty("bits", out JsonElement bits) && bits.TryGetInt32(out int count) && count > 0 ? weight.Shape[1] * 32 / count : null;

    private bool FanInFanOut(string path) => model.Map?.Find(path) is { Count: > 0 } found ? found[0].Rule.IsConv1D : _fanInFanOut;

    private bool Add(TensorInfo weight, MergeTerm term)
    {
        if (!_terms.TryGetValue(weight.Name, out List<MergeTerm>? terms))
        {
            _terms.Add(weight.Name, terms = []);
        }

        if (terms.Exists(other => other.RowStart == term.RowStart && other.RowStep == term.RowStep))
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
