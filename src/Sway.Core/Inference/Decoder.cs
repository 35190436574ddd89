namespace Sway.Inference;

/// <summary>What a session looks at: the base model, or an adapter on it with a strength.</summary>
/// <param name="Name">Base or Adapted, for messages.</param>
/// <param name="Adapter">The adapter, or null for the base.</param>
/// <param name="Strength">0 = base, 1 = the adapter, anything between or beyond.</param>
public sealed record DecoderView(string Name, AttachedAdapter? Adapter, double Strength)
{
    /// <summary>The adapter, unless the strength makes it vanish.</summary>
    public AttachedAdapter? Effective => Strength == 0.0 ? null : Adapter;
}

/// <summary>New tokens of a sequence.</summary>
/// <param name="Tokens">The tokens.</param>
/// <param name="Start">Absolute position of the first.</param>
/// <param name="SequenceLength">Length of the whole sequence that they belong to.</param>
/// <param name="Memories">For each view what came before and will follow, or null.</param>
/// <param name="Parent">Index of an earlier part of the same run that ends right before <paramref name="Start"/>, or -1.</param>
public sealed record SequencePart(
    ReadOnlyMemory<int> Tokens, int Start, int SequenceLength, IReadOnlyList<LaneMemory>? Memories = null, int Parent = -1);

/// <summary>
/// A model on an engine: the one definition for all architectures, driven by a <see cref="DecoderSpec"/>. All views share the base
/// weights and each product with them; layers below the first that any view changes run once for all views.
/// </summary>
public sealed class Decoder
{
    private readonly IEngine _engine;
    private readonly LayerResidency? _residency;
    private readonly DecoderWeights _weights;
    private readonly EngineWeight? _positions;
    private readonly LayerRunner[] _layers;
    private readonly LoadedNorm _finalNorm;
    private readonly LoadedLinear _head;

    /// <summary>Binds a spec to its weights.</summary>
    /// <exception cref="UnsupportedModelException">A tensor is missing or has another shape or type than the spec says.</exception>
    public Decoder(IEngine engine, WeightStore store, DecoderSpec spec)
    {
        _engine = engine;
        Spec = spec = HeadTie.Resolve(store, spec);
        _weights = new DecoderWeights(engine, store);
        Embedding = _weights.Linear(new LinearSpec(spec.Embedding, spec.VocabularySize, spec.HiddenSize) { WeightName = spec.EmbeddingWeight });
        _positions = spec.PositionEmbedding is null
            ? null
            : engine.Matrix(store, new LinearSpec(string.Empty, spec.MaxPositions, spec.HiddenSize) { WeightName = spec.PositionEmbedding });
        _layers = [.. spec.Layers.Select((layer, index) => new LayerRunner(engine, _weights, layer, index, spec.HiddenSize))];
        _finalNorm = _weights.Norm(spec.FinalNorm, spec.HiddenSize)!;
        _head = spec.TiedHead ? _weights.Tied(spec.Head, Embedding) : _weights.Linear(spec.Head);

        // Of many rows each expert gets but some, and packs its weights for those.
        RowsTogether = spec.Layers.Any(layer => layer.FeedForward is ExpertsSpec) ? int.MaxValue : engine.RowsTogether;
        _residency = engine.ReadsMappedWeights ? LayerResidency.Of(store, spec.Layers) : null;
    }

    /// <summary>What is computed.</summary>
    public DecoderSpec Spec { get; }

    /// <summary>The engine.</summary>
    public IEngine Engine => _engine;

    /// <summary>Called for every pass, with its number of tokens in one view.</summary>
    internal Action<int>? Passed { get; set; }

    /// <summary>Rows that a group which passes the layers together should not exceed.</summary>
    internal int RowsTogether { get; set; }

    /// <summary>The loaded modules by path, for adapters to attach to.</summary>
    internal DecoderWeights Weights => _weights;

    /// <summary>The embedding matrix.</summary>
    internal LoadedLinear Embedding { get; }

    /// <summary>Which variant of its rotary embeddings a sequence of this length takes.</summary>
    public int RopeVariant(int length) => Spec.Layers.Max(layer => layer.Mixer switch
    {
        AttentionSpec attention => attention.Rope?.Variant(length) ?? 0,
        LatentAttentionSpec latent => latent.Rope.Variant(length),
        _ => 0,
    });

    /// <summary>The hidden states before the final norm, row = view * tokens + token, sequences one after another.</summary>
    /// <param name="parts">The sequences.</param>
    /// <param name="views">The views.</param>
    /// <param name="cancellationToken">Looked at before each layer; the engine looks at its own inside of operations.</param>
    public HiddenStates Run(IReadOnlyList<SequencePart> parts, IReadOnlyList<DecoderView> views, CancellationToken cancellationToken) =>
        Run(parts, views, null, cancellationToken);

    /// <summary>The hidden states before the final norm, as the other overload gives them, with word of each layer.</summary>
    /// <param name="parts">The sequences.</param>
    /// <param name="views">The views.</param>
    /// <param name="layerDone">Called after each layer with the number of layers done, or null.</param>
    /// <param name="cancellationToken">Looked at before each layer; the engine looks at its own inside of operations.</param>
    public HiddenStates Run(
        IReadOnlyList<SequencePart> parts, IReadOnlyList<DecoderView> views, Action<int>? layerDone, CancellationToken cancellationToken)
    {
        var rows = parts.Sum(part => part.Tokens.Length);
        Passed?.Invoke(rows);
        var first = views.Count == 1 ? 0 : views.Min(view => view.Effective?.FirstLayer(Spec.Layers.Count) ?? Spec.Layers.Count);
        var expanded = views.Count == 1 || first < 0;
        var work = rows * views.Count;
        using var batch = new LayerBatch(_engine, parts, views, RowsTogether);
        batch.Begin(Embed(parts, rows, expanded ? views : [views[0]]), expanded);
        _residency?.Embedded(work);
        for (var layer = 0; layer < _layers.Length; layer++)
        {
            if (layer >= first)
            {
                batch.Expand();
            }

            var where = layer;
            _residency?.Begin(layer, work);
            batch.Run(_layers[layer], (hidden, row) =>
            {
                // Rows that all views have in common so far are the base's.
                var bad = _engine.FirstNonFiniteRow(hidden);
                Check(bad < 0 ? bad : row + bad, rows, views, $"layer {where}");
            }, cancellationToken);
            _residency?.End(layer, work);
            layerDone?.Invoke(layer + 1);
        }

        return batch.End();
    }

    /// <summary>Logits (rows, vocabulary) of some rows, all those of a view together.</summary>
    /// <param name="hidden">What Run gave.</param>
    /// <param name="tokens">Tokens of one view in it.</param>
    /// <param name="positions">Rows of one view that are wanted.</param>
    /// <param name="views">The views.</param>
    /// <exception cref="ScoringException">A logit is not finite.</exception>
    public EngineTensor Logits(HiddenStates hidden, int tokens, ReadOnlySpan<int> positions, IReadOnlyList<DecoderView> views)
    {
        var logits = UncheckedLogits(hidden, tokens, positions, views);
        CheckLogits(_engine.FirstNonFiniteRow(logits), positions.Length, views);
        return logits;
    }

    /// <summary>The same for a caller who looks at each row itself.</summary>
    internal EngineTensor UncheckedLogits(HiddenStates hidden, int tokens, ReadOnlySpan<int> positions, IReadOnlyList<DecoderView> views)
    {
        var rows = new int[positions.Length * views.Count];
        for (var v = 0; v < views.Count; v++)
        {
            for (var i = 0; i < positions.Length; i++)
            {
                rows[(v * positions.Length) + i] = (v * tokens) + positions[i];
            }
        }

        using var normed = Normed(hidden, rows);
        var logits = _head.Run(_engine, normed, ViewRange.Of(views, positions.Length));
        if (Spec.LogitScale != 1.0)
        {
            _engine.Scale(logits, Spec.LogitScale);
        }

        if (Spec.LogitSoftCap > 0.0)
        {
            _engine.SoftCap(logits, Spec.LogitSoftCap);
        }

        _engine.Settle(logits);
        return logits;
    }

    /// <summary>Fails where a row of logits has a number that is not finite.</summary>
    /// <param name="bad">The first such row, or -1.</param>
    /// <param name="rows">Rows of a view.</param>
    /// <param name="views">The views.</param>
    internal void CheckLogits(int bad, int rows, IReadOnlyList<DecoderView> views) => Check(bad, rows, views, "the output head");

    private EngineTensor Normed(HiddenStates hidden, int[] rows)
    {
        using var chosen = _engine.Gather(hidden.Parts, rows);
        return _finalNorm.Run(_engine, chosen);
    }

    private EngineTensor Embed(IReadOnlyList<SequencePart> parts, int rows, IReadOnlyList<DecoderView> views)
    {
        var ids = new int[rows * views.Count];
        var positions = new int[ids.Length];
        var at = 0;
        for (var v = 0; v < views.Count; v++)
        {
            foreach (var part in parts)
            {
                part.Tokens.Span.CopyTo(ids.AsSpan(at));
                for (var i = 0; i < part.Tokens.Length; i++)
                {
                    positions[at + i] = part.Start + i;
                }

                at += part.Tokens.Length;
            }
        }

        var hidden = _engine.Embed(Embedding.Weight, ids);
        foreach (var range in ViewRange.Of(views, rows))
        {
            range.Adapter.Embedding?.Apply(_engine, hidden, ids, range.FirstRow, range.Rows, range.Strength);
        }

        if (Spec.EmbeddingScale != 1.0)
        {
            _engine.Scale(hidden, Spec.EmbeddingScale);
        }

        if (_positions is not null)
        {
            if (parts.Any(part => part.Start + part.Tokens.Length > Spec.MaxPositions))
            {
                hidden.Dispose();
                throw new ScoringException($"The model has learned positions for {Spec.MaxPositions} tokens only; a sequence is longer.");
            }

            using var learned = _engine.Embed(_positions, positions);
            _engine.Add(hidden, learned, 1.0);
        }

        return hidden;
    }

    private void Check(int bad, int rows, IReadOnlyList<DecoderView> views, string where)
    {
        if (bad >= 0)
        {
            throw new ScoringException($"{where} of {Spec.ModelType} gives a number that is not finite (view {views[bad / rows].Name}).");
        }
    }
}
