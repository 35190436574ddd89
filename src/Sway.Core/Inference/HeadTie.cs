namespace Sway.Inference;

/// <summary>Decides whether a head that the configuration ties to the embedding is one with it, as transformers 5 does.</summary>
internal static class HeadTie
{
    /// <summary>
    /// A stored head with other numbers than the embedding is used as it is, whatever the configuration says; an embedding that is not
    /// stored is the head's matrix.
    /// </summary>
    public static DecoderSpec Resolve(WeightStore store, DecoderSpec spec)
    {
        var head = spec.Head.WeightName ?? spec.Head.Module + ".weight";
        var embedding = spec.Embedding + ".weight";
        if (!spec.TiedHead || store.Quantization is not null || !store.Has(head))
        {
            return spec;
        }

        if (!store.Has(embedding))
        {
            return spec with { EmbeddingWeight = head };
        }

        return IsSame(store.Get(head), store.Get(embedding)) ? spec : spec with { TiedHead = false };
    }

    private static unsafe bool IsSame(Tensors.MappedTensor first, Tensors.MappedTensor second)
    {
        if (first.Info.DType != second.Info.DType || !first.Info.Shape.AsSpan().SequenceEqual(second.Info.Shape.AsSpan()))
        {
            return false;
        }

        const int Block = 1 << 24;
        for (long at = 0; at < first.Info.ByteLength; at += Block)
        {
            var count = (int)Math.Min(Block, first.Info.ByteLength - at);
            if (!new ReadOnlySpan<byte>(first.Data + at, count).SequenceEqual(new ReadOnlySpan<byte>(second.Data + at, count)))
            {
                return false;
            }
        }

        return true;
    }
}
