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

    /// <summary>Replaces the hidden states by those after the layer.</summary>
    public void Run(ref EngineTensor hidden, BatchLayout layout, ReadOnlySpan<ViewRange> views)
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
                    using var forward = Normed(_feedForward.Run(feedForwardInput, views), _feedForwardOut);
                    _engine.Add(hidden, mixed, _spec.ResidualScale);
                    _engine.Add(hidden, forward, _spec.ResidualScale);
                    return;
                }

                _engine.Add(hidden, mixed, _spec.ResidualScale);
            }

            feedForwardInput = _feedForwardIn?.Run(_engine, hidden) ?? hidden;
            using var result = Normed(_feedForward.Run(feedForwardInput, views), _feedForwardOut);
            _engine.Add(hidden, result, _spec.ResidualScale);
        }
        finally
        {
            if (feedForwardInput is not null && !ReferenceEquals(feedForwardInput, hidden) && !ReferenceEquals(feedForwardInput, mixerInput))
            {
                feedForwardInput.Dispose();
            }

            if (!ReferenceEquals(mixerInput, hidden))
            {
                mixerInput.Dispose();
            }
        }
    }

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
