using System.Globalization;

namespace Sway.Adapters.Mlx;

/// <summary>What the names of mlx-lm's modules tell.</summary>
internal static class MlxModuleNames
{
    /// <summary>
    /// True for the input embedding of every model family of mlx-lm. A linear layer and an embedding have factors of the
    /// same shape, so only the name tells them apart; <c>embed_out</c> is GPT-NeoX's head and <c>embed_q</c> a projection.
    /// </summary>
    public static bool IsEmbedding(string path) =>
        path[(path.LastIndexOf('.') + 1)..] is "embed_tokens" or "wte" or "wpe" or "embed_in" or "embeddings" or "embedding"
            or "tok_embeddings" or "word_embeddings" or "embed_tokens_per_layer" or "shared";

    /// <summary>
    /// Splits the path of a module in a layer: the layer's index and the name relative to the layer; null outside the layers.
    /// </summary>
    public static (int Layer, string Name)? InLayer(string path)
    {
        string[] parts = path.Split('.');
        for (int i = 1; i + 1 < parts.Length; i++)
        {
            if (parts[i - 1] is "layers" or "h" or "blocks"
                && int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out int layer))
            {
                return (layer, string.Join('.', parts.Skip(i + 1)));
            }
        }

        return null;
    }
}
