namespace Sway.Inference;

/// <summary>The part of a layer that mixes positions.</summary>
public abstract record MixerSpec;

/// <summary>Where the heads of queries, keys or values lie in a projection's result.</summary>
/// <param name="Projection">Which of the projections.</param>
/// <param name="Offset">First element of head 0.</param>
/// <param name="Stride">Distance of heads in elements.</param>
public readonly record struct HeadLayout(int Projection, int Offset, int Stride);

/// <summary>Softmax attention with grouped keys and values.</summary>
public sealed record AttentionSpec : MixerSpec
{
    /// <summary>Projections of the input: three, or one fused.</summary>
    public required IReadOnlyList<LinearSpec> Projections { get; init; }

    /// <summary>Where queries lie.</summary>
    public required HeadLayout Query { get; init; }

    /// <summary>Where keys lie.</summary>
    public required HeadLayout Key { get; init; }

    /// <summary>Where values lie.</summary>
    public required HeadLayout Value { get; init; }

    /// <summary>Where gates lie: the result of a head is multiplied by their sigmoid.</summary>
    public HeadLayout? Gate { get; init; }

    /// <summary>The output projection.</summary>
    public required LinearSpec Output { get; init; }

    /// <summary>Norm of the queries.</summary>
    public NormSpec? QueryNorm { get; init; }

    /// <summary>Norm of the keys.</summary>
    public NormSpec? KeyNorm { get; init; }

    /// <summary>What the query and key norms run over.</summary>
    public HeadNormScope NormScope { get; init; }

    /// <summary>Whether the norms come after the rotation instead of before.</summary>
    public bool NormAfterRope { get; init; }

    /// <summary>Rotary positions, or null for none.</summary>
    public RopeTable? Rope { get; init; }

    /// <summary>Whether neighbours (2i, 2i+1) are rotated together instead of halves (i, i + n/2).</summary>
    public bool RopeInterleaved { get; init; }

    /// <summary>What the softmax sees.</summary>
    public required AttentionRule Rule { get; init; }
}

/// <summary>What the norms of queries and keys run over.</summary>
public enum HeadNormScope
{
    /// <summary>Each head, one weight for all.</summary>
    Head,

    /// <summary>Each head, with its own weights.</summary>
    HeadOwnWeights,

    /// <summary>All heads as one vector.</summary>
    AllHeads,
}

/// <summary>Scores, mask and normalisation of attention.</summary>
public sealed record AttentionRule
{
    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Key and value heads.</summary>
    public required int KeyHeads { get; init; }

    /// <summary>Dimensions of queries and keys.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Dimensions of values.</summary>
    public required int ValueSize { get; init; }

    /// <summary>Factor on the scores.</summary>
    public required double Scale { get; init; }

    /// <summary>Keys seen, the query's own position included; 0 = all.</summary>
    public int Window { get; init; }

    /// <summary>Positions are cut into chunks that see only themselves; 0 = none.</summary>
    public int Chunk { get; init; }

    /// <summary>Soft cap c of the scores: c tanh(s / c); 0 = none.</summary>
    public double SoftCap { get; init; }

    /// <summary>Tensor with one more score for each head, which takes part in the softmax and has no value.</summary>
    public string? Sinks { get; init; }

    /// <summary>Queries at position p are multiplied by 1 + scale ln(1 + floor((p + 1) / floor)); null = not.</summary>
    public (double Scale, double Floor)? Temperature { get; init; }
}

/// <summary>Multi-head latent attention (DeepSeek).</summary>
public sealed record LatentAttentionSpec : MixerSpec
{
    /// <summary>The query projection, or its first factor.</summary>
    public required LinearSpec Query { get; init; }

    /// <summary>Norm between the query's factors.</summary>
    public NormSpec? QueryNorm { get; init; }

    /// <summary>The query's second factor.</summary>
    public LinearSpec? QueryUp { get; init; }

    /// <summary>Projection to latent and shared rotary key.</summary>
    public required LinearSpec KeyValueDown { get; init; }

    /// <summary>Norm of the latent.</summary>
    public required NormSpec KeyValueNorm { get; init; }

    /// <summary>Latent to keys and values of each head.</summary>
    public required LinearSpec KeyValueUp { get; init; }

    /// <summary>The output projection.</summary>
    public required LinearSpec Output { get; init; }

    /// <summary>Dimensions without rotation.</summary>
    public required int PlainSize { get; init; }

    /// <summary>Dimensions with rotation.</summary>
    public required int RopeSize { get; init; }

    /// <summary>Rotary positions.</summary>
    public required RopeTable Rope { get; init; }

    /// <summary>Whether neighbours are rotated together.</summary>
    public required bool RopeInterleaved { get; init; }

    /// <summary>What the softmax sees.</summary>
    public required AttentionRule Rule { get; init; }
}

/// <summary>Gated short convolution (LFM2): out(C * conv(B * x)).</summary>
/// <param name="Input">Projection to B, C, x.</param>
/// <param name="Kernel">Tensor (width, 1, taps).</param>
/// <param name="KernelBias">Tensor of the convolution's bias, or null.</param>
/// <param name="Taps">Length of the convolution.</param>
/// <param name="Output">The output projection.</param>
public sealed record ShortConvolutionSpec(LinearSpec Input, string Kernel, string? KernelBias, int Taps, LinearSpec Output) : MixerSpec;

/// <summary>Gated delta rule (Qwen3.5).</summary>
public sealed record DeltaRuleSpec : MixerSpec
{
    /// <summary>Projection to queries, keys and values, in this order.</summary>
    public required LinearSpec QueryKeyValue { get; init; }

    /// <summary>Projection to the output's gate.</summary>
    public required LinearSpec Gate { get; init; }

    /// <summary>Projection to the write strength.</summary>
    public required LinearSpec Beta { get; init; }

    /// <summary>Projection to the decay.</summary>
    public required LinearSpec Decay { get; init; }

    /// <summary>The output projection.</summary>
    public required LinearSpec Output { get; init; }

    /// <summary>Tensor (width, 1, taps) of the causal convolution.</summary>
    public required string Kernel { get; init; }

    /// <summary>Length of the convolution.</summary>
    public required int Taps { get; init; }

    /// <summary>Tensor of log A.</summary>
    public required string LogA { get; init; }

    /// <summary>Tensor of the time step's bias.</summary>
    public required string StepBias { get; init; }

    /// <summary>Norm of each value head, before the gate.</summary>
    public required NormSpec OutputNorm { get; init; }

    /// <summary>Key heads.</summary>
    public required int KeyHeads { get; init; }

    /// <summary>Value heads.</summary>
    public required int ValueHeads { get; init; }

    /// <summary>Dimensions of a key head.</summary>
    public required int KeySize { get; init; }

    /// <summary>Dimensions of a value head.</summary>
    public required int ValueSize { get; init; }
}
