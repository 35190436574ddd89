namespace Sway.Inference;

/// <summary>The position-mixing part of a layer with its weights.</summary>
internal abstract class MixerRunner
{
    /// <summary>Loads the weights of a mixer.</summary>
    public static MixerRunner Create(IEngine engine, DecoderWeights weights, MixerSpec spec, int layer) => spec switch
    {
        AttentionSpec attention => new AttentionRunner(engine, weights, attention, layer),
        LatentAttentionSpec latent => new LatentAttentionRunner(engine, weights, latent, layer),
        ShortConvolutionSpec convolution => new ShortConvolutionRunner(engine, weights, convolution, layer),
        DeltaRuleSpec delta => new DeltaRuleRunner(engine, weights, delta, layer),
        _ => throw new UnsupportedModelException($"{spec.GetType().Name} has no runner."),
    };

    /// <summary>Computes the mixer's result.</summary>
    public abstract EngineTensor Run(EngineTensor x, BatchLayout layout, ReadOnlySpan<ViewRange> views);
}

/// <summary>Softmax attention.</summary>
internal sealed class AttentionRunner : MixerRunner
{
    private readonly IEngine _engine;
    private readonly AttentionSpec _spec;
    private readonly int _layer;
    private readonly LoadedLinear[] _projections;
    private readonly LoadedLinear _output;
    private readonly LoadedNorm? _queryNorm;
    private readonly LoadedNorm? _keyNorm;
    private readonly EngineWeight? _sinks;

    public AttentionRunner(IEngine engine, DecoderWeights weights, AttentionSpec spec, int layer)
    {
        (_engine, _spec, _layer) = (engine, spec, layer);
        if (spec.Rule.Heads % spec.Rule.KeyHeads != 0)
        {
            throw new UnsupportedModelException($"{spec.Output.Module}: {spec.Rule.KeyHeads} heads of keys do not share {spec.Rule.Heads} of queries evenly.");
        }

        _projections = [.. spec.Projections.Select(weights.Linear)];
        _output = weights.Linear(spec.Output);
        _queryNorm = weights.Norm(spec.QueryNorm, NormWidth(spec.Rule.Heads));
        _keyNorm = weights.Norm(spec.KeyNorm, NormWidth(spec.Rule.KeyHeads));
        _sinks = weights.Vector(spec.Rule.Sinks, spec.Rule.Heads, optional: true);

        int NormWidth(int heads) => spec.NormScope == HeadNormScope.Head ? spec.Rule.HeadSize : heads * spec.Rule.HeadSize;
    }

    /// <inheritdoc/>
    public override EngineTensor Run(EngineTensor x, BatchLayout layout, ReadOnlySpan<ViewRange> views)
    {
        var rule = _spec.Rule;
        var projected = new EngineTensor[_projections.Length];
        try
        {
            LoadedLinear.Run(_engine, x, _projections, views, projected);
            var query = View(projected, _spec.Query, rule.Heads, rule.HeadSize);
            var key = View(projected, _spec.Key, rule.KeyHeads, rule.HeadSize);
            var value = View(projected, _spec.Value, rule.KeyHeads, rule.ValueSize);
            if (!_spec.NormAfterRope)
            {
                NormHeads(query, key);
            }

            if (_spec.Rope is { } rope)
            {
                _engine.Rope(query, rope, _spec.RopeInterleaved, layout);
                _engine.Rope(key, rope, _spec.RopeInterleaved, layout);
            }

            if (_spec.NormAfterRope)
            {
                NormHeads(query, key);
            }

            if (rule.Temperature is { } temperature)
            {
                _engine.ScaleRows(query, Temperatures(layout, temperature.Scale, temperature.Floor));
            }

            using var attended = _engine.Attention(query, key, value, rule, _sinks, layout, _layer);
            if (_spec.Gate is { } gate)
            {
                _engine.GateBySigmoid(attended, View(projected, gate, rule.Heads, rule.ValueSize));
            }

            return _output.Run(_engine, attended, views);
        }
        finally
        {
            foreach (var tensor in projected)
            {
                tensor?.Dispose();
            }
        }
    }

    private static HeadView View(EngineTensor[] projected, HeadLayout layout, int heads, int size) =>
        new(projected[layout.Projection], layout.Offset, layout.Stride, heads, size);

    private static float[] Temperatures(BatchLayout layout, double scale, double floor)
    {
        var factors = new float[layout.Rows];
        foreach (var lane in layout.Lanes)
        {
            for (var i = 0; i < lane.Count; i++)
            {
                factors[lane.FirstRow + i] = (float)((Math.Log(1.0 + Math.Floor((lane.Start + i + 1.0) / floor)) * scale) + 1.0);
            }
        }

        return factors;
    }

    private void NormHeads(HeadView query, HeadView key)
    {
        _queryNorm?.RunHeads(_engine, query, _spec.NormScope);
        _keyNorm?.RunHeads(_engine, key, _spec.NormScope);
    }
}

/// <summary>Multi-head latent attention.</summary>
internal sealed class LatentAttentionRunner : MixerRunner
{
    private readonly IEngine _engine;
    private readonly LatentAttentionSpec _spec;
    private readonly int _layer;
    private readonly LoadedLinear _query;
    private readonly LoadedLinear? _queryUp;
    private readonly LoadedNorm? _queryNorm;
    private readonly LoadedLinear _down;
    private readonly LoadedLinear _up;
    private readonly LoadedNorm _norm;
    private readonly LoadedLinear _output;

    public LatentAttentionRunner(IEngine engine, DecoderWeights weights, LatentAttentionSpec spec, int layer)
    {
        (_engine, _spec, _layer) = (engine, spec, layer);
        _query = weights.Linear(spec.Query);
        _queryUp = spec.QueryUp is null ? null : weights.Linear(spec.QueryUp);
        _queryNorm = weights.Norm(spec.QueryNorm, spec.Query.Outputs);
        _down = weights.Linear(spec.KeyValueDown);
        _up = weights.Linear(spec.KeyValueUp);
        _norm = weights.Norm(spec.KeyValueNorm, spec.KeyValueUp.Inputs)!;
        _output = weights.Linear(spec.Output);
    }

    /// <inheritdoc/>
    public override EngineTensor Run(EngineTensor x, BatchLayout layout, ReadOnlySpan<ViewRange> views)
    {
        var rule = _spec.Rule;
        using var queries = Queries(x, views);
        using var down = _down.Run(_engine, x, views);
        using var latent = _engine.Columns(down, 0, _spec.KeyValueUp.Inputs);
        using var normed = _norm.Run(_engine, latent);
        using var up = _up.Run(_engine, normed, views);
        var query = new HeadView(queries, 0, rule.HeadSize, rule.Heads, rule.HeadSize);
        var rotated = query with { Offset = _spec.PlainSize, Size = _spec.RopeSize };
        var shared = new HeadView(down, _spec.KeyValueUp.Inputs, _spec.RopeSize, 1, _spec.RopeSize);
        _engine.Rope(rotated, _spec.Rope, _spec.RopeInterleaved, layout);
        _engine.Rope(shared, _spec.Rope, _spec.RopeInterleaved, layout);
        var stride = _spec.PlainSize + rule.ValueSize;
        using var keys = _engine.JoinKeys(new HeadView(up, 0, stride, rule.Heads, _spec.PlainSize), shared);
        var key = new HeadView(keys, 0, rule.HeadSize, rule.Heads, rule.HeadSize);
        var value = new HeadView(up, _spec.PlainSize, stride, rule.Heads, rule.ValueSize);
        using var attended = _engine.Attention(query, key, value, rule, null, layout, _layer);
        return _output.Run(_engine, attended, views);
    }

    private EngineTensor Queries(EngineTensor x, ReadOnlySpan<ViewRange> views)
    {
        var first = _query.Run(_engine, x, views);
        if (_queryUp is null)
        {
            return first;
        }

        using (first)
        {
            using var normed = _queryNorm!.Run(_engine, first);
            return _queryUp.Run(_engine, normed, views);
        }
    }
}

/// <summary>Gated short convolution.</summary>
internal sealed class ShortConvolutionRunner(IEngine engine, DecoderWeights weights, ShortConvolutionSpec spec, int layer) : MixerRunner
{
    private readonly LoadedLinear _input = weights.Linear(spec.Input);
    private readonly LoadedLinear _output = weights.Linear(spec.Output);
    private readonly EngineWeight _kernel = weights.Vector(spec.Kernel, spec.Output.Inputs * spec.Taps);
    private readonly EngineWeight? _bias = weights.Vector(spec.KernelBias, spec.Output.Inputs, optional: true);

    /// <inheritdoc/>
    public override EngineTensor Run(EngineTensor x, BatchLayout layout, ReadOnlySpan<ViewRange> views)
    {
        using var projected = _input.Run(engine, x, views);
        using var mixed = engine.ShortConvolution(projected, _kernel, _bias, spec.Taps, layout, layer);
        return _output.Run(engine, mixed, views);
    }
}

/// <summary>Gated delta rule.</summary>
internal sealed class DeltaRuleRunner(IEngine engine, DecoderWeights weights, DeltaRuleSpec spec, int layer) : MixerRunner
{
    private readonly LoadedLinear _input = weights.Linear(spec.QueryKeyValue);
    private readonly LoadedLinear _gate = weights.Linear(spec.Gate);
    private readonly LoadedLinear _beta = weights.Linear(spec.Beta);
    private readonly LoadedLinear _decay = weights.Linear(spec.Decay);
    private readonly LoadedLinear _output = weights.Linear(spec.Output);
    private readonly LoadedNorm _norm = weights.Norm(spec.OutputNorm, spec.ValueSize)!;
    private readonly DeltaRuleWeights _weights = new()
    {
        Spec = spec,
        Kernel = weights.Vector(spec.Kernel, spec.QueryKeyValue.Outputs * spec.Taps),
        LogA = weights.Vector(spec.LogA, spec.ValueHeads),
        StepBias = weights.Vector(spec.StepBias, spec.ValueHeads),
    };

    /// <inheritdoc/>
    public override EngineTensor Run(EngineTensor x, BatchLayout layout, ReadOnlySpan<ViewRange> views)
    {
        using var projected = _input.Run(engine, x, views);
        using var gate = _gate.Run(engine, x, views);
        using var beta = _beta.Run(engine, x, views);
        using var decay = _decay.Run(engine, x, views);
        using var mixed = engine.DeltaRule(projected, beta, decay, _weights, layout, layer);
        engine.NormThenGate(mixed, gate, spec.ValueSize, _norm.Spec.Epsilon, _norm.Weight!);
        return _output.Run(engine, mixed, views);
    }
}
