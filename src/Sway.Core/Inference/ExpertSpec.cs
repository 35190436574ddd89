namespace Sway.Inference;

/// <summary>How router logits become experts and their weights.</summary>
public enum RoutingKind
{
    /// <summary>Softmax over all experts, then the best k.</summary>
    SoftmaxThenTop,

    /// <summary>The best k, then softmax over them.</summary>
    TopThenSoftmax,

    /// <summary>Sigmoid with a selection bias and groups (DeepSeek-V3).</summary>
    GroupedSigmoid,

    /// <summary>Softmax, limited to the best groups by their maximum (DeepSeek-V2).</summary>
    GroupedSoftmax,

    /// <summary>The best k; the expert's input, not its output, is multiplied by the sigmoid (Llama 4).</summary>
    SigmoidOnInput,
}

/// <summary>Routing of one layer.</summary>
public sealed record RoutingRule
{
    /// <summary>How experts are chosen and weighted.</summary>
    public required RoutingKind Kind { get; init; }

    /// <summary>Number of experts.</summary>
    public required int Experts { get; init; }

    /// <summary>Experts for each token.</summary>
    public required int Top { get; init; }

    /// <summary>Whether the chosen weights are divided by their sum.</summary>
    public bool Normalize { get; init; }

    /// <summary>Factor on the weights.</summary>
    public double Scale { get; init; } = 1.0;

    /// <summary>Number of groups.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>Groups that may be used.</summary>
    public int TopGroups { get; init; } = 1;

    /// <summary>Tensor of the selection bias, or null.</summary>
    public string? SelectionBias { get; init; }
}

/// <summary>What an expert does between its projections.</summary>
/// <param name="Activation">The activation of the gate.</param>
/// <param name="Interleaved">Whether gate and up alternate (2i, 2i+1) instead of being halves.</param>
/// <param name="ClampLimit">gpt_oss: gate is clamped from above and up on both sides; 0 = not.</param>
/// <param name="SigmoidFactor">gpt_oss: (up + 1) * gate * sigmoid(factor * gate); 0 = act(gate) * up.</param>
public sealed record ExpertActivation(Activation Activation, bool Interleaved = false, double ClampLimit = 0.0, double SigmoidFactor = 0.0);

/// <summary>Routed experts, with an optional expert that sees every token.</summary>
public sealed record ExpertsSpec : FeedForwardSpec
{
    /// <summary>The router.</summary>
    public required LinearSpec Router { get; init; }

    /// <summary>The routing.</summary>
    public required RoutingRule Rule { get; init; }

    /// <summary>Module path of all experts together, as adapters name it.</summary>
    public required string Module { get; init; }

    /// <summary>The projections into an expert: gate and up apart, or fused.</summary>
    public required IReadOnlyList<ExpertLinearSpec> Inputs { get; init; }

    /// <summary>The projection out of an expert.</summary>
    public required ExpertLinearSpec Down { get; init; }

    /// <summary>What happens between.</summary>
    public required ExpertActivation Activation { get; init; }

    /// <summary>Width between.</summary>
    public required int Width { get; init; }

    /// <summary>The expert that sees every token, or null.</summary>
    public GatedFeedForwardSpec? Shared { get; init; }

    /// <summary>A projection to one number whose sigmoid multiplies the shared expert's result.</summary>
    public LinearSpec? SharedGate { get; init; }
}

/// <summary>The same projection of all experts.</summary>
/// <param name="Name">gate_up_proj, gate_proj, up_proj or down_proj: the parameter as adapters name it.</param>
/// <param name="Outputs">Number of outputs.</param>
/// <param name="Inputs">Number of inputs.</param>
/// <param name="Transposed">Whether a matrix is stored as (inputs, outputs).</param>
/// <param name="Fused">Tensor (experts, ...) of all matrices, or null.</param>
/// <param name="Each">Module of each expert's matrix, with {0} for the expert, or null.</param>
/// <param name="BiasName">Tensor (experts, outputs) of the biases, or null.</param>
public sealed record ExpertLinearSpec(
    string Name, int Outputs, int Inputs, bool Transposed, string? Fused, string? Each, string? BiasName = null);
