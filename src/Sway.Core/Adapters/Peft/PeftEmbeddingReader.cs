using Sway.Tensors;

namespace Sway.Adapters.Peft;

/// <summary>LoRA on an embedding table: <c>lora_embedding_A (rank, vocab)</c> and <c>lora_embedding_B (dim, rank)</c>.</summary>
internal static class PeftEmbeddingReader
{
    public static LoraModule? Read(PeftModuleTensors module)
    {
        if (!module.TryPair(PeftRole.EmbeddingA, PeftRole.EmbeddingB, out TensorInfo a, out TensorInfo b))
        {
            return null;
        }

        if (module.Group.TryGetValue(nameof(PeftRole.Magnitude), out TensorInfo? magnitude))
        {
            module.Refusals.Add(
                RefusalCategory.DoraEmbedding, "DoRA on an embedding: PEFT keeps a magnitude for each dimension, mlx-lm one for each token.", magnitude.Name);
            return null;
        }

        if (module.Config.UseDora)
        {
            module.Refusals.Add(RefusalCategory.MissingPair, PeftModuleTensors.NoMagnitude, module.Path);
            return null;
        }

        if (!module.HasOnly(module.Config.PeftType == "LORA" ? [nameof(PeftRole.EmbeddingA), nameof(PeftRole.EmbeddingB)] : []))
        {
            return null;
        }

        if (a.Shape.Length != 2 || b.Shape.Length != 2 || a.Shape[0] != b.Shape[1])
        {
            module.Refusals.Add(RefusalCategory.ShapeMismatch, $"The factors do not fit each other: {a.Name} {a.ShapeText}, {b.Name} {b.ShapeText}.", a.Name, b.Name);
            return null;
        }

        if (!module.CheckRank(a, module.Config.RankOf(module.Path)))
        {
            return null;
        }

        int rank = checked((int)a.Shape[0]);
        return new LoraModule
        {
            Path = module.Path,
            Naming = ModuleNaming.HuggingFace,
            Kind = LoraModuleKind.Embedding,
            Rank = rank,
            Scaling = module.Config.ScalingOf(module.Path, rank),
            A = module.File.Get(a),
            B = module.File.Get(b),
            SourceTensors = [a.Name, b.Name],
        };
    }
}
