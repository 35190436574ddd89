using Sway.Adapters;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Conversion.Mlx;

/// <summary>
/// Falcon-H1: mlx-lm multiplies weights by the configuration's muP factors when it loads them, so a delta must be multiplied
/// alike. The factors are those of mlx-lm's falcon_h1, checked element by element.
/// </summary>
internal static class Multipliers
{
    public static bool Apply(
        MlxResolution resolution, ModuleMatch match, string path, ref TensorExpression b, ref TensorExpression? magnitude, ref string note)
    {
        double[]? factors = Factors(resolution.Base!, match.Path, b.Shape[0]);
        if (factors is null)
        {
            resolution.Refusals.Add(RefusalCategory.UnknownArchitecture, "The base's configuration lacks the multipliers of this module.", path);
            return false;
        }

        b = b.ScaleAxis(0, factors);
        magnitude = magnitude?.ScaleAxis(0, factors);
        note += "; multiplied by the model's muP factors";
        return true;
    }

    private static double[]? Factors(BaseModel model, string path, long rows)
    {
        string leaf = path[(path.LastIndexOf('.') + 1)..];
        double? one = (leaf, path) switch
        {
            ("lm_head", _) => model.FindDouble("lm_head_multiplier"),
            ("embed_tokens", _) => model.FindDouble("embedding_multiplier"),
            ("q_proj" or "k_proj", _) => model.FindDouble("attention_in_multiplier"),
            ("o_proj", _) => model.FindDouble("attention_out_multiplier"),
            ("out_proj", _) => model.FindDouble("ssm_out_multiplier"),
            ("gate_proj", _) => model.FindDoubles("mlp_multipliers") is [var gate, _] ? gate : null,
            ("down_proj", _) => model.FindDoubles("mlp_multipliers") is [_, var down] ? down : null,
            _ => null,
        };
        if (one is { } factor)
        {
            double[] same = new double[rows];
            Array.Fill(same, factor);
            return same;
        }

        return leaf == "in_proj" ? StateSpaceFactors(model, rows) : null;
    }

    /// <summary>The rows of in_proj are gate, x, B, C and dt, each with its own factor times the input's.</summary>
    private static double[]? StateSpaceFactors(BaseModel model, long rows)
    {
        long? width = model.FindInt("mamba_d_ssm") ?? ((long?)model.FindInt("mamba_expand") * model.HiddenSize);
        long? groups = (long?)model.FindInt("mamba_n_groups") * model.FindInt("mamba_d_state");
        if (width is not { } d || groups is not { } g || model.FindInt("mamba_n_heads") is not { } heads
            || model.FindDouble("ssm_in_multiplier") is not { } input || model.FindDoubles("ssm_multipliers") is not { Length: 5 } parts)
        {
            return null;
        }

        long[] sizes = [d, d, g, g, heads];
        return sizes.All(size => size >= 0 && size <= rows) && sizes.Sum() == rows
            ? [.. sizes.SelectMany((size, i) => Enumerable.Repeat(input * parts[i], (int)size))]
            : null;
    }
}
