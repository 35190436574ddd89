using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Conversion.Peft;

/// <summary>The tensors of PEFT's file, under the names that PEFT gives them.</summary>
internal static class PeftTensors
{
    private const string Prefix = "base_model.model.";

    /// <summary>All tensors with the source tensors that each is made of.</summary>
    public static IEnumerable<(PlannedTensor Tensor, IReadOnlyList<string> Sources)> Of(IReadOnlyList<PeftTarget> targets)
    {
        foreach (PeftTarget target in targets.Where(target => !target.IsParameter))
        {
            bool embedding = target.Kind == PeftTargetKind.Embedding;
            string path = Prefix + target.Path;
            yield return (new PlannedTensor(path + (embedding ? ".lora_embedding_A" : ".lora_A.weight"), Writable(target.A)), target.Sources);
            yield return (new PlannedTensor(path + (embedding ? ".lora_embedding_B" : ".lora_B.weight"), Writable(target.B)), target.Sources);
            if (target.Magnitude is not null)
            {
                yield return (new PlannedTensor(path + ".lora_magnitude_vector", Writable(target.Magnitude)), target.Sources);
            }
        }

        foreach (IGrouping<string, PeftTarget> owner in targets.Where(target => target.IsParameter).GroupBy(target => Owner(target.Path), StringComparer.Ordinal))
        {
            // Each parameter of a module is a wrapper around the one before; the last in the order of definition is outermost.
            PeftTarget[] outermostFirst = [.. owner.OrderByDescending(target => DefinitionOrder(target.Path))];
            string path = Prefix + owner.Key;
            foreach (PeftTarget target in outermostFirst)
            {
                (TensorExpression a, TensorExpression b) = target.Kind == PeftTargetKind.ExpertParameter ? Pack(target) : (target.A, target.B);
                yield return (new PlannedTensor(path + ".lora_A.weight", Writable(a)), target.Sources);
                yield return (new PlannedTensor(path + ".lora_B.weight", Writable(b)), target.Sources);
                path += ".base_layer";
            }
        }
    }

    /// <summary>The module that owns a parameter.</summary>
    public static string Owner(string parameterPath) => parameterPath[..parameterPath.LastIndexOf('.')];

    /// <summary>
    /// PEFT 0.19's layout of all experts in two matrices: rows of the first are expert-major, columns of the second
    /// rank-major. A parameter (experts, in, out) that is not marked as transposed has in and out exchanged.
    /// </summary>
    private static (TensorExpression A, TensorExpression B) Pack(PeftTarget target)
    {
        bool exchanged = target.Rule is { Layout: ExpertLayout.InOut, MarkedTransposed: false };
        TensorExpression a = exchanged ? target.B.Permute(0, 2, 1) : target.A;
        TensorExpression b = exchanged ? target.A.Permute(0, 2, 1) : target.B;
        TensorExpression columns = b.Permute(1, 2, 0);
        return (
            DenseReshape.Of(a, a.Shape[0] * a.Shape[1], a.Shape[2]),
            DenseReshape.Of(columns, columns.Shape[0], columns.Shape[1] * columns.Shape[2]));
    }

    private static int DefinitionOrder(string path) => path[(path.LastIndexOf('.') + 1)..] switch
    {
        "gate_up_proj" or "gate_proj" => 0,
        "up_proj" => 1,
        "down_proj" => 2,
        _ => 1,
    };

    // torch has no arithmetic on 8-bit floats, and PEFT does not expect float64.
    private static TensorExpression Writable(TensorExpression value) => value.DType switch
    {
        DType.F8E4M3 or DType.F8E5M2 => value.Cast(DType.BF16),
        DType.F64 => value.Cast(DType.F32),
        _ => value,
    };
}
