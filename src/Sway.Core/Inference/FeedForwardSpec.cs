namespace Sway.Inference;

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
