namespace Sway.Inference;

/// <summary>One decoder layer with its weights.</summary>
internal sealed class LayerRunner
{
    private readonly IEngine _engine;
    private readonly LayerSpec _spec;
    private readonly LoadedNorm? _mixerIn;
    private readonly LoadedNorm? _mixerOut;
    private readonly LoadedNorm? _feedForwardIn;
    private readonly LoadedNorm? _feedForwardOut;
    private readonly MixerRunner _mixer;
    private readonly FeedForwardRunner _feedForward;

    public LayerRunner(IEngine engine, DecoderWeights weights, LayerSpec spec, int index, int hiddenSize)
    {
        _engine = engine;
        _spec = spec;
        weights.Layer = index;
        _mixerIn = weights.Norm(spec.MixerInputNorm, hiddenSize);
        _mixerOut = weights.Norm(spec.MixerOutputNorm, hiddenSize);
        _feedForwardIn = weights.Norm(spec.FeedForwardInputNorm, hiddenSize);
        _feedForwardOut = weights.Norm(spec.FeedForwardOutputNorm, hiddenSize);
        _mixer = MixerRunner.Create(engine, weights, spec.Mixer, index);
        _feedForward = FeedForwardRunner.Create(engine, weights, spec.FeedForward);
        weights.Layer = -1;
    }

    /// <summary>Changes the hidden states to those after the layer.</summary>
    public void Run(EngineTensor hidden, BatchLayout layout, ReadOnlySpan<ViewRange> views)
    {
        var mixerInput = _mixerIn?.Run(_engine, hidden) ?? hidden;
        EngineTensor? feedForwardInput = null;
        try
        {
            using (var mixed = Normed(_mixer.Run(mixerInput, layout, views), _mixerOut))
            {
                if (_spec.Parallel)
                {
                    feedForwardInput = _feedForwardIn?.Run(_engine, hidden) ?? mixerInput;
                    using var forward = Normed(FeedForward(feedForwardInput, hidden, views), _feedForwardOut);
                    _engine.Add(hidden, mixed, _spec.ResidualScale);
                    _engine.Add(hidden, forward, _spec.ResidualScale);
                    return;
                }

                Free(mixerInput, hidden);
                _engine.Add(hidden, mixed, _spec.ResidualScale);
            }

            feedForwardInput = _feedForwardIn?.Run(_engine, hidden) ?? hidden;
            using var result = Normed(FeedForward(feedForwardInput, hidden, views), _feedForwardOut);
            _engine.Add(hidden, result, _spec.ResidualScale);
        }
        finally
        {
            Free(feedForwardInput, hidden);
            Free(mixerInput, hidden);
        }
    }

    private static void Free(EngineTensor? input, EngineTensor hidden)
    {
        if (!ReferenceEquals(input, hidden))
        {
            input?.Dispose();
        }
    }

    // Nothing reads the part's input after it, unless that is the stream itself.
    private EngineTensor FeedForward(EngineTensor input, EngineTensor hidden, ReadOnlySpan<ViewRange> views) =>
        _feedForward.Run(input, last: !ReferenceEquals(input, hidden), views);

    private EngineTensor Normed(EngineTensor x, LoadedNorm? norm)
    {
        if (norm is null)
        {
            return x;
        }

        using (x)
        {
            return norm.Run(_engine, x);
        }
    }
}
