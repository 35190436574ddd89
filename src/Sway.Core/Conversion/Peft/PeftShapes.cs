using Sway.Adapters;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Conversion.Peft;

/// <summary>Compares the sizes of a target's factors with the base's weight, or with the width that its configuration says.</summary>
internal static class PeftShapes
{
    /// <summary>What does not fit; null when all fits, or nothing is known of the base's sizes.</summary>
    public static Refusal? Problem(PeftTarget target, BaseModel? model)
    {
        if (model is null)
        {
            return null;
        }

        bool embedding = target.Kind == PeftTargetKind.Embedding;
        long outputs = target.B.Shape[^2], inputs = target.A.Shape[^1];
        (long rows, long columns) = embedding ? (inputs, outputs) : (outputs, inputs);
        if (model.FindWeight(target.Path) is { } weight && weight.DType.IsReadableFloat() && weight.Shape.Length >= 2)
        {
            (long first, long last) = (weight.Shape[^2], weight.Shape[^1]);
            bool exchangeable = target.Kind == PeftTargetKind.ExpertParameter || target.Rule is null or { IsConv1D: true };
            return (first == rows && last == columns) || (exchangeable && first == columns && last == rows)
                ? null
                : Mismatch(target, TensorInfo.FormatShape([first, last]), TensorInfo.FormatShape([rows, columns]));
        }

        if (model.HiddenSize is not { } hidden || target.Kind is PeftTargetKind.ExpertParameter or PeftTargetKind.Parameter)
        {
            return null;
        }

        string leaf = target.Path[(target.Path.LastIndexOf('.') + 1)..];
        bool readsHidden = leaf is "q_proj" or "k_proj" or "v_proj" or "qkv_proj" or "gate_proj" or "up_proj" or "gate_up_proj" or "lm_head";
        return readsHidden && inputs != hidden ? Mismatch(target, $"{hidden} wide", $"{inputs} wide")
            : leaf is "down_proj" && outputs != hidden ? Mismatch(target, $"{hidden} wide", $"{outputs} wide")
            : null;
    }

    private static Refusal Mismatch(PeftTarget target, string wanted, string given) =>
        new(RefusalCategory.ShapeMismatch, $"{target.Path} is {wanted} in the base and {given} in the adapter.")
        {
            Modules = target.Sources,
            Remedy = "Name the base that the adapter was trained on with -BaseModel (--base).",
        };
}
