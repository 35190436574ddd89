namespace Sway.Inference;

/// <summary>An adapter bound to a decoder's modules.</summary>
public sealed class AttachedAdapter
{
    /// <summary>What it adds to linear layers.</summary>
    internal Dictionary<LoadedLinear, LinearDelta> Linears { get; } = [];

    /// <summary>What it adds to routed experts.</summary>
    internal Dictionary<LoadedExperts, (LinearDelta?[] Inputs, LinearDelta?[] Down)> Experts { get; } = [];

    /// <summary>What it adds to the embedding, or null.</summary>
    internal EmbeddingDelta? Embedding { get; set; }

    /// <summary>The first layer that it changes: -1 for the embedding, the number of layers when only the head.</summary>
    public int FirstLayer(int layers)
    {
        if (Embedding is not null)
        {
            return -1;
        }

        // Outside of layers there is only the head, which comes after all of them.
        var first = layers;
        foreach (var module in Linears.Keys)
        {
            first = Math.Min(first, module.Layer < 0 ? layers : module.Layer);
        }

        foreach (var module in Experts.Keys)
        {
            first = Math.Min(first, module.Layer);
        }

        return first;
    }
}

/// <summary>What an adapter adds to the token embedding: scaling * (B A)^T, or another table.</summary>
internal sealed class EmbeddingDelta
{
    /// <summary>(vocabulary, rank), the transposed first factor; or null.</summary>
    public EngineWeight? Table { get; init; }

    /// <summary>(dimension, rank).</summary>
    public EngineWeight? B { get; init; }

    /// <summary>Factor on the delta.</summary>
    public double Scaling { get; init; }

    /// <summary>A table in the place of the base's, or null.</summary>
    public EngineWeight? Replacement { get; init; }

    /// <summary>Adds the delta to rows of embedded tokens.</summary>
    public void Apply(IEngine engine, EngineTensor hidden, ReadOnlySpan<int> ids, int firstRow, int rows, double strength)
    {
        var own = ids.Slice(firstRow, rows);
        if (Replacement is not null)
        {
            using var other = engine.Embed(Replacement, own);
            engine.Blend(hidden, firstRow, other, strength);
        }

        if (Table is not null)
        {
            using var low = engine.Embed(Table, own);
            using var delta = engine.Linear(low, B!, null, []);
            engine.AddRows(hidden, firstRow, delta, Scaling * strength);
        }
    }
}
