using System.Management.Automation;
using Sway.Inference;

namespace Sway.PowerShell.Measuring;

/// <summary>What every measurement says of itself.</summary>
public abstract class MeasureResult
{
    /// <summary>The item's name: its <c>Id</c>, its file, or its number.</summary>
    public required string Id { get; init; }

    /// <summary>The adapter's path; null for the base model alone.</summary>
    public required string? Adapter { get; init; }

    /// <summary>The engine that computed.</summary>
    public required string Backend { get; init; }

    /// <summary>Strength of the adapter: 0 = base, 1 = the adapter.</summary>
    public required double Strength { get; init; }

    /// <summary>The arithmetic.</summary>
    public required PrecisionChoice Precision { get; init; }

    /// <summary>What came down the pipeline, to group or join by its properties; null when parameters gave the item.</summary>
    public required PSObject? InputObject { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Id;
}

/// <summary>Divergences over the whole vocabulary, one number for each scored token, in nats.</summary>
/// <param name="KlAdaptedBase">KL(adapted || base).</param>
/// <param name="KlBaseAdapted">KL(base || adapted).</param>
/// <param name="Js">Jensen-Shannon divergence, at most ln 2.</param>
public sealed record TokenDivergences(double[] KlAdaptedBase, double[] KlBaseAdapted, double[] Js)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Js.Length} tokens";
}
