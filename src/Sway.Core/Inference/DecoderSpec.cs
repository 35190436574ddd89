namespace Sway.Inference;

/// <summary>What a decoder computes, as data: an architecture is a function from config.json to one of these.</summary>
public sealed record DecoderSpec
{
    /// <summary>The model type of config.json.</summary>
    public required string ModelType { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Number of tokens in the vocabulary.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>The longest sequence the model was made for.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Module of the token embedding.</summary>
    public required string Embedding { get; init; }

    /// <summary>Tensor of the token embedding where it is not <c>Embedding.weight</c>.</summary>
    public string? EmbeddingWeight { get; init; }

    /// <summary>Factor on the token embedding.</summary>
    public double EmbeddingScale { get; init; } = 1.0;

    /// <summary>Tensor of learned absolute positions, or null.</summary>
    public string? PositionEmbedding { get; init; }

    /// <summary>The layers in order.</summary>
    public required IReadOnlyList<LayerSpec> Layers { get; init; }

    /// <summary>The norm before the head.</summary>
    public required NormSpec FinalNorm { get; init; }

    /// <summary>The output head; tied when its weight is the embedding's.</summary>
    public required LinearSpec Head { get; init; }

    /// <summary>Whether the head's matrix is the embedding's.</summary>
    public required bool TiedHead { get; init; }

    /// <summary>Factor on the logits.</summary>
    public double LogitScale { get; init; } = 1.0;

    /// <summary>Soft cap c of the logits: c tanh(x / c); 0 = none.</summary>
    public double LogitSoftCap { get; init; }
}

/// <summary>One decoder layer.</summary>
/// <remarks>
/// Sequential: h += s out1(mixer(in1(h))), h += s out2(ff(in2(h))). Parallel: h += mixer(in1(h)) + ff(in2(h)), where an absent in2
/// means the result of in1.
/// </remarks>
public sealed record LayerSpec
{
    /// <summary>Module path of the layer.</summary>
    public required string Path { get; init; }

    /// <summary>Norm before the token mixer.</summary>
    public NormSpec? MixerInputNorm { get; init; }

    /// <summary>Attention or what stands in its place.</summary>
    public required MixerSpec Mixer { get; init; }

    /// <summary>Norm of the mixer's result.</summary>
    public NormSpec? MixerOutputNorm { get; init; }

    /// <summary>Norm before the feed-forward part.</summary>
    public NormSpec? FeedForwardInputNorm { get; init; }

    /// <summary>The feed-forward part.</summary>
    public required FeedForwardSpec FeedForward { get; init; }

    /// <summary>Norm of the feed-forward part's result.</summary>
    public NormSpec? FeedForwardOutputNorm { get; init; }

    /// <summary>Whether mixer and feed-forward part read the same input.</summary>
    public bool Parallel { get; init; }

    /// <summary>Factor on what is added to the residual stream.</summary>
    public double ResidualScale { get; init; } = 1.0;
}

/// <summary>How a norm is computed.</summary>
public enum NormKind
{
    /// <summary>x / rms(x) * w.</summary>
    Rms,

    /// <summary>x / rms(x) * (1 + w).</summary>
    RmsPlusOne,

    /// <summary>(x - mean) / std * w + b.</summary>
    Layer,
}

/// <summary>A norm; without weight tensors it only scales.</summary>
/// <param name="Kind">The formula.</param>
/// <param name="Epsilon">Added to the mean square.</param>
/// <param name="Weight">Tensor of the weight, or null.</param>
/// <param name="Bias">Tensor of the bias, or null.</param>
public sealed record NormSpec(NormKind Kind, double Epsilon, string? Weight, string? Bias = null);

/// <summary>A linear layer y = W x + b.</summary>
/// <param name="Module">Module path: its weight is <c>Module.weight</c>.</param>
/// <param name="Outputs">Number of outputs.</param>
/// <param name="Inputs">Number of inputs.</param>
/// <param name="Bias">Whether <c>Module.bias</c> is added.</param>
/// <param name="Transposed">Whether the weight is stored as (inputs, outputs).</param>
public sealed record LinearSpec(string Module, int Outputs, int Inputs, bool Bias = false, bool Transposed = false)
{
    /// <summary>Tensor of the weight where it is not <c>Module.weight</c>.</summary>
    public string? WeightName { get; init; }

    /// <summary>Tensor of the bias where it is not <c>Module.bias</c>.</summary>
    public string? BiasName { get; init; }
}

/// <summary>Activation functions.</summary>
public enum Activation
{
    /// <summary>x sigmoid(x).</summary>
    Silu,

    /// <summary>x Phi(x).</summary>
    Gelu,

    /// <summary>The tanh approximation of <see cref="Gelu"/>.</summary>
    GeluTanh,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>max(x, 0)^2.</summary>
    ReluSquared,
}

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

/// <summary>The part of a layer that works on each position alone.</summary>
public abstract record FeedForwardSpec;

/// <summary>down(act(gate(x)) * up(x)), with gate and up apart or fused (gate first).</summary>
/// <param name="Inputs">Gate and up, or the fused projection.</param>
/// <param name="Down">The output projection.</param>
/// <param name="Activation">The activation.</param>
/// <param name="Width">Width between.</param>
public sealed record GatedFeedForwardSpec(IReadOnlyList<LinearSpec> Inputs, LinearSpec Down, Activation Activation, int Width) : FeedForwardSpec;

/// <summary>down(act(up(x))).</summary>
/// <param name="Up">The first projection.</param>
/// <param name="Down">The output projection.</param>
/// <param name="Activation">The activation.</param>
public sealed record PlainFeedForwardSpec(LinearSpec Up, LinearSpec Down, Activation Activation) : FeedForwardSpec;
