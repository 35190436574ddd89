namespace Sway.Inference;

/// <summary>The feed-forward part of a layer with its weights.</summary>
internal abstract class FeedForwardRunner
{
    /// <summary>Loads the weights of a feed-forward part.</summary>
    public static FeedForwardRunner Create(IEngine engine, DecoderWeights weights, FeedForwardSpec spec) => spec switch
    {
        GatedFeedForwardSpec gated => new GatedRunner(engine, weights, gated),
        PlainFeedForwardSpec plain => new PlainRunner(engine, weights, plain),
        ExpertsSpec experts => new ExpertsRunner(engine, weights, experts),
        _ => throw new UnsupportedModelException($"{spec.GetType().Name} has no runner."),
    };

    /// <summary>Computes the part's result.</summary>
    /// <param name="x">Its input.</param>
    /// <param name="last">Whether nobody else reads the input, which may then be disposed as soon as it is not needed any more.</param>
    /// <param name="views">The views.</param>
    public abstract EngineTensor Run(EngineTensor x, bool last, ReadOnlySpan<ViewRange> views);
}

/// <summary>down(act(gate) * up).</summary>
internal sealed class GatedRunner(IEngine engine, DecoderWeights weights, GatedFeedForwardSpec spec) : FeedForwardRunner
{
    private readonly LoadedLinear[] _inputs = [.. spec.Inputs.Select(weights.Linear)];
    private readonly LoadedLinear _down = weights.Linear(spec.Down);

    /// <inheritdoc/>
    public override EngineTensor Run(EngineTensor x, bool last, ReadOnlySpan<ViewRange> views)
    {
        var inputs = new EngineTensor[_inputs.Length];
        EngineTensor? hidden = null;
        try
        {
            LoadedLinear.Run(engine, x, _inputs, views, inputs);
            var (gate, up, upFirst) = inputs.Length > 1 ? (inputs[0], inputs[1], 0) : (inputs[0], inputs[0], spec.Width);
            hidden = engine.Gated(gate, 0, up, upFirst, spec.Width, spec.Activation);

            // What is not needed any more makes room for the result.
            foreach (var input in inputs)
            {
                input.Dispose();
            }

            if (last)
            {
                x.Dispose();
            }

            return _down.Run(engine, hidden, views);
        }
        finally
        {
            hidden?.Dispose();
            foreach (var input in inputs)
            {
                input?.Dispose();
            }
        }
    }
}

/// <summary>down(act(up)).</summary>
internal sealed class PlainRunner(IEngine engine, DecoderWeights weights, PlainFeedForwardSpec spec) : FeedForwardRunner
{
    private readonly LoadedLinear _up = weights.Linear(spec.Up);
    private readonly LoadedLinear _down = weights.Linear(spec.Down);

    /// <inheritdoc/>
    public override EngineTensor Run(EngineTensor x, bool last, ReadOnlySpan<ViewRange> views)
    {
        using var hidden = _up.Run(engine, x, views);
        if (last)
        {
            x.Dispose();
        }

        engine.Activate(hidden, spec.Activation);
        return _down.Run(engine, hidden, views);
    }
}

/// <summary>Routed experts and the expert that sees every token.</summary>
internal sealed class ExpertsRunner(IEngine engine, DecoderWeights weights, ExpertsSpec spec) : FeedForwardRunner
{
    private readonly LoadedLinear _router = weights.Linear(spec.Router);
    private readonly LoadedExperts _experts = weights.Experts(spec);
    private readonly GatedRunner? _shared = spec.Shared is null ? null : new GatedRunner(engine, weights, spec.Shared);
    private readonly LoadedLinear? _sharedGate = spec.SharedGate is null ? null : weights.Linear(spec.SharedGate);

    /// <inheritdoc/>
    public override EngineTensor Run(EngineTensor x, bool last, ReadOnlySpan<ViewRange> views)
    {
        using var logits = _router.Run(engine, x, views);
        var deltas = new List<ExpertDeltaRange>();
        foreach (var view in views)
        {
            if (view.Adapter.Experts.TryGetValue(_experts, out var delta))
            {
                deltas.Add(new ExpertDeltaRange(view.FirstRow, view.Rows, delta.Inputs, delta.Down, view.Strength));
            }
        }

        var result = engine.Experts(x, logits, _experts.Weights, deltas);
        if (_shared is not null)
        {
            using var shared = _shared.Run(x, last: false, views);
            if (_sharedGate is not null)
            {
                using var gate = _sharedGate.Run(engine, x, views);
                engine.ScaleBySigmoid(shared, gate);
            }

            engine.Add(result, shared, 1.0);
        }

        return result;
    }
}
