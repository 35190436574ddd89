namespace Sway.Inference;

/// <summary>Module paths that transformers 4, transformers 5 and mlx-lm write differently.</summary>
internal static class ModuleAliases
{
    /// <summary>The path as this program's declarations write it.</summary>
    public static string Translate(string path) => path
        .Replace(".block_sparse_moe.gate", ".mlp.gate", StringComparison.Ordinal)
        .Replace("model.h.", "transformer.h.", StringComparison.Ordinal);

    /// <summary>The path of all experts together, and of which projection and expert; null for anything else.</summary>
    /// <param name="path">A module path.</param>
    public static (string Module, string? Projection, int? Expert)? Experts(string path)
    {
        var normal = path.Replace(".block_sparse_moe.experts.", ".mlp.experts.", StringComparison.Ordinal);
        var stacked = normal.IndexOf(".switch_mlp.", StringComparison.Ordinal);
        if (stacked >= 0)
        {
            return (normal[..stacked] + ".experts", Projection(normal[(stacked + ".switch_mlp.".Length)..]), null);
        }

        var at = normal.IndexOf(".experts.", StringComparison.Ordinal);
        if (at < 0)
        {
            return null;
        }

        var module = normal[..(at + ".experts".Length)];
        var rest = normal[(at + ".experts.".Length)..].Split('.');
        return rest.Length == 2 && int.TryParse(rest[0], System.Globalization.CultureInfo.InvariantCulture, out var expert)
            ? (module, Projection(rest[1]), expert)
            : (module, Projection(rest[0]), null);
    }

    private static string Projection(string name) => name switch
    {
        "w1" => "gate_proj",
        "w2" => "down_proj",
        "w3" => "up_proj",
        _ => name,
    };
}
