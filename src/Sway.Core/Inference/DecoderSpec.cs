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
