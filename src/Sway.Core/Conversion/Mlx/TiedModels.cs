using Sway.Adapters;
using Sway.Architectures;

namespace Sway.Conversion.Mlx;

/// <summary>
/// Models whose head is the embedding table. An unmerged PEFT adapter on the table changes the input only, mlx-lm's changes
/// the head as well; the two agree only where PEFT stored the mirrored pair (ensure_weight_tying).
/// </summary>
internal static class TiedModels
{
    public static void Resolve(MlxResolution resolution)
    {
        if (resolution.Base is not { } model)
        {
            return;
        }

        List<LoraModule> embeddings = [.. resolution.Adapter.Modules.Where(module => module.Kind == LoraModuleKind.Embedding && IsTokenTable(module.Path))];
        List<LoraModule> heads = [.. resolution.Adapter.Modules.Where(module => IsHead(module.Path))];
        if (model.Tying is not true)
        {
            CheckUntied(resolution, model, embeddings, heads);
            return;
        }

        if (embeddings is [var embedding] && heads is [var head] && Mirrored(embedding, head))
        {
            resolution.Modules.RemoveAll(module => module.SourceTensors.SequenceEqual(head.SourceTensors));
            foreach (string tensor in head.SourceTensors)
            {
                resolution.LeftOut[tensor] = "the head's mirror of the embedding's factors: mlx-lm applies the embedding's to the tied head";
            }

            return;
        }

        foreach (LoraModule module in embeddings.Where(module => !module.AlsoChangesTiedHead))
        {
            resolution.Modules.RemoveAll(m => m.SourceTensors.SequenceEqual(module.SourceTensors));
            resolution.RefuseOrLeaveOut(
                RefusalCategory.TiedEmbedding,
                "Head and embedding of the base are one; PEFT's adapter changes the input side only, mlx-lm's would change the head too.",
                null,
                module.SourceTensors);
        }

        foreach (LoraModule module in heads)
        {
            resolution.Modules.RemoveAll(m => m.SourceTensors.SequenceEqual(module.SourceTensors));
            resolution.RefuseOrLeaveOut(
                RefusalCategory.TiedHead, "Head and embedding of the base are one; mlx-lm has no head of its own to adapt.", "Merge the adapter into an untied copy of the base instead.", module.SourceTensors);
        }
    }

    /// <summary>The reason against a module whose effect depends on whether the head is the embedding, which is not known.</summary>
    public const string Unknown = "config.json does not say whether head and embedding of the base are one (tie_word_embeddings), and transformers and mlx-lm take different things for granted.";

    public const string UnknownRemedy = "Write tie_word_embeddings, as the model was trained, into the base's config.json.";

    private static void CheckUntied(MlxResolution resolution, BaseModel model, List<LoraModule> embeddings, List<LoraModule> heads)
    {
        bool known = model.Tying is not null;
        if (known && model.Map is not { HasHead: false })
        {
            return;
        }

        foreach (LoraModule module in embeddings.Concat(known ? [] : heads))
        {
            resolution.Modules.RemoveAll(m => m.SourceTensors.SequenceEqual(module.SourceTensors));
            resolution.RefuseOrLeaveOut(
                module.Kind == LoraModuleKind.Embedding ? RefusalCategory.TiedEmbedding : RefusalCategory.TiedHead,
                known ? "The base has a head of its own, and mlx-lm's model of this type has none but the embedding." : Unknown,
                known ? null : UnknownRemedy,
                module.SourceTensors);
        }
    }

    public static bool IsHead(string path) => path is "lm_head" or "embed_out" or "output" || path.EndsWith(".lm_head", StringComparison.Ordinal);

    public static bool IsTokenTable(string path) =>
        path[(path.LastIndexOf('.') + 1)..] is "embed_tokens" or "wte" or "embed_in" or "embeddings" or "word_embeddings";

    /// <summary>True when the head's factors are the embedding's, transposed and exchanged.</summary>
    public static bool Mirrored(LoraModule embedding, LoraModule head) =>
        embedding.Rank == head.Rank && embedding.Scaling == head.Scaling
        && head.A.DType == embedding.B.DType && head.B.DType == embedding.A.DType
        && head.A.ToBytes().AsSpan().SequenceEqual(embedding.B.Transpose().ToBytes())
        && head.B.ToBytes().AsSpan().SequenceEqual(embedding.A.Transpose().ToBytes());
}
