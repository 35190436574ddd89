using Sway.Adapters;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Merging;

/// <summary>
/// Finds where a base keeps the weights of its experts: a weight for each, a stack of all as transformers 5 and the models
/// born with bare parameters have it, gate and up in one or not, or mlx-lm's stacks.
/// </summary>
internal sealed class ExpertPlacement(BaseModel model, TensorFile weights, Func<TensorInfo, MergeTerm, bool> add)
{
    /// <summary>Places the delta of all experts of one mlx-lm layer: a (experts, rank, in), b (experts, out, rank).</summary>
    public bool PlaceAll(string mlxPath, TensorExpression a, TensorExpression b, double scaling, MergeRounding rounding)
    {
        if (weights.Find(mlxPath + ".weight") is { Shape.Length: 3 } own)
        {
            // The columns of a quantized weight are packed.
            return own.Shape[0] == b.Shape[0] && own.Shape[1] == b.Shape[1] && (own.DType == DType.U32 || own.Shape[2] == a.Shape[2])
                && add(own, new MergeTerm { Left = b, Right = a, Scaling = scaling, Rounding = rounding });
        }

        // One expert's numbers may lie scattered over the factors of all.
        (a, b) = (a.Recalled(), b.Recalled());
        ModuleMatch[] found = [.. model.Map?.FindMlx(mlxPath) ?? []];
        ModuleMatch single = Array.Find(found, match => match.Rule.IsPerExpert && Single(match.Rule, match.Layer, 0) is not null);
        if (single.Rule is not null)
        {
            return Enumerable.Range(0, checked((int)a.Shape[0])).All(expert => Single(single.Rule, single.Layer, expert) is { Shape.Length: 2 } weight
                && weight.Shape.AsSpan().SequenceEqual([b.Shape[1], a.Shape[2]])
                && add(weight, new MergeTerm { Left = b.Index(0, expert), Right = a.Index(0, expert), Scaling = scaling, Rounding = rounding }));
        }

        return Stack(found) is (var rule, { } stack) && stack.Shape[0] == a.Shape[0] && PlaceInStack(rule, stack, -1, a, b, scaling, rounding);
    }

    /// <summary>Places the delta of one expert whose Hugging Face layer the base does not keep as a weight of its own: a (rank,
    /// in), b (out, rank).</summary>
    public bool PlaceOne(string huggingFacePath, TensorExpression a, TensorExpression b, double scaling, MergeRounding rounding)
    {
        if (model.Map is not { } map || map.Find(huggingFacePath) is not [{ Rule: { IsPerExpert: true, MlxPath: not null } rule } match, ..])
        {
            return false;
        }

        string mlxPath = rule.MlxPathOf(match.Layer);
        if (weights.Find(mlxPath + ".weight") is { Shape.Length: 3 } own)
        {
            return PlaceInStack(null, own, match.Expert, a, b, scaling, rounding);
        }

        return Stack([.. map.FindMlx(mlxPath)]) is (var found, { } stack) && PlaceInStack(found, stack, match.Expert, a, b, scaling, rounding);
    }

    /// <summary>A stored row of a stack is a row of one expert's matrix, the experts' below each other.</summary>
    private bool PlaceInStack(
        ModuleRule? rule, TensorInfo stack, int expert, TensorExpression a, TensorExpression b, double scaling, MergeRounding rounding)
    {
        RowPart part = rule?.Rows ?? RowPart.All;
        long outputs = b.Shape[^2] * part.Of, inputs = a.Shape[^1];
        bool transposed = rule?.Layout == ExpertLayout.InOut;
        if (expert >= stack.Shape[0] || !stack.Shape.AsSpan(1, 2).SequenceEqual(transposed ? [inputs, outputs] : [outputs, inputs]))
        {
            return false;
        }

        // The delta of bare parameters is rounded first, as PEFT does with all of them.
        var term = new MergeTerm
        {
            Left = transposed ? a.Transpose() : b,
            Right = transposed ? Widened(b.Transpose(), part) : a,
            Scaling = scaling,
            Rounding = rounding == MergeRounding.PeftOnce ? MergeRounding.PeftDeltaFirst : rounding,
            ColumnPart = transposed ? part.Index : 0,
            RowStart = (Math.Max(expert, 0) * stack.Shape[1]) + (transposed ? 0 : part.Interleaved ? part.Index : part.Index * b.Shape[^2]),
            RowStep = !transposed && part.Interleaved ? part.Of : 1,
        };
        return add(stack, term);
    }

    /// <summary>A part of the output columns as all of them, zero in the others.</summary>
    private static TensorExpression Widened(TensorExpression part, RowPart place)
    {
        if (place.IsAll)
        {
            return part;
        }

        int axis = part.Rank - 1;
        TensorExpression zeros = TensorExpression.Zeros(part.DType, part.Shape);
        TensorExpression[] blocks = [.. Enumerable.Range(0, place.Of).Select(index => index == place.Index ? part : zeros)];
        if (!place.Interleaved)
        {
            return TensorExpression.Concatenate(axis, blocks);
        }

        TensorExpression stacked = TensorExpression.Stack(axis + 1, blocks);
        return Conversion.Peft.DenseReshape.Of(stacked, part.Shape.SetItem(axis, part.Shape[axis] * place.Of));
    }

    private (ModuleRule? Rule, TensorInfo? Stack) Stack(ModuleMatch[] found)
    {
        foreach (ModuleMatch match in found.Where(match => match.Rule.Layout != ExpertLayout.None))
        {
            if (model.FindWeight(match.Path) is { Shape.Length: 3 } stack)
            {
                // Versions of transformers differ in the layout of one parameter; the sizes tell which one this file has.
                ModuleMatch fitting = found.FirstOrDefault(other => other.Path == match.Path && Fits(other.Rule, stack), match);
                return (fitting.Rule, stack);
            }
        }

        return (null, null);
    }

    private bool Fits(ModuleRule rule, TensorInfo stack)
    {
        bool writesHidden = rule.MlxPath!.EndsWith("down_proj", StringComparison.Ordinal) || rule.MlxPath.EndsWith("fc2", StringComparison.Ordinal);
        int hiddenAxis = writesHidden == (rule.Layout == ExpertLayout.OutIn) ? 1 : 2;
        return stack.Shape[hiddenAxis] == model.HiddenSize;
    }

    private TensorInfo? Single(ModuleRule rule, int layer, int expert) => model.FindWeight(ModulePath.Fill(rule.HuggingFacePath, layer, expert));
}
