using System.Collections.Immutable;
using Sway.Adapters;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Conversion.Mlx;

/// <summary>Compares the factors' sizes with the base's weight, or with what its configuration says.</summary>
internal static class BaseShapes
{
    public static bool Check(MlxResolution resolution, ModuleMatch match, LoraModule module)
    {
        BaseModel model = resolution.Base!;
        long inputs = module.A.Shape[1], outputs = module.B.Shape[0];
        if (match.Rule.IsEmbedding != (module.Kind == LoraModuleKind.Embedding))
        {
            resolution.Refusals.Add(RefusalCategory.ShapeMismatch, $"{module.Path} is {(match.Rule.IsEmbedding ? "an embedding" : "no embedding")} in the base, but not in the adapter.", module.SourceTensors);
            return false;
        }

        if (model.FindWeight(match.Path) is { Shape: [var rows, var columns] } weight && weight.DType.IsReadableFloat())
        {
            (long wantedOut, long wantedIn) = match.Rule.IsConv1D ? (columns, rows) : (rows, columns);
            (long givenOut, long givenIn) = module.Kind == LoraModuleKind.Embedding ? (inputs, outputs) : (outputs, inputs);
            if (wantedOut != givenOut || wantedIn != givenIn)
            {
                Mismatch(resolution, module, [wantedOut, wantedIn], [givenOut, givenIn]);
                return false;
            }

            return true;
        }

        string leaf = module.Path[(module.Path.LastIndexOf('.') + 1)..];
        if (!match.Rule.IsPerExpert && !match.Rule.IsConv1D && model.HiddenSize is { } hidden)
        {
            bool readsHidden = leaf is "q_proj" or "k_proj" or "v_proj" or "qkv_proj" or "lm_head" || (leaf is "gate_proj" or "up_proj" or "gate_up_proj" && !match.Rule.IsParameter);
            bool writesHidden = leaf is "down_proj";
            if ((readsHidden && inputs != hidden) || (writesHidden && outputs != hidden))
            {
                resolution.Refusals.Add(
                    RefusalCategory.ShapeMismatch, $"The base's width is {hidden}; the factors of {module.Path} are for {(readsHidden ? inputs : outputs)}.", module.SourceTensors);
                return false;
            }
        }

        return true;
    }

    private static void Mismatch(MlxResolution resolution, LoraModule module, ImmutableArray<long> wanted, ImmutableArray<long> given) =>
        resolution.Refusals.AddWithRemedy(
            RefusalCategory.ShapeMismatch,
            $"{module.Path} is {TensorInfo.FormatShape(wanted)} in the base and {TensorInfo.FormatShape(given)} in the adapter.",
            "Name the base that the adapter was trained on with -BaseModel (--base).",
            module.SourceTensors);
}
