using System.Management.Automation;
using Sway.Inference;

namespace Sway.PowerShell.Measuring;

/// <summary>What every measurement says of itself.</summary>
public abstract class MeasureResult
{
    private readonly MeasureOrigin _origin;

    private protected MeasureResult(MeasureOrigin origin) => _origin = origin;

    /// <summary>The item's name: its <c>Id</c>, its file, or its number.</summary>
    public string Id => _origin.Id;

    /// <summary>The adapter's path; null for the base model alone.</summary>
    public string? Adapter => _origin.Adapter;

    /// <summary>The engine that computed.</summary>
    public string Backend => _origin.Backend;

    /// <summary>Strength of the adapter: 0 = base, 1 = the adapter.</summary>
    public double Strength => _origin.Strength;

    /// <summary>The arithmetic.</summary>
    public PrecisionChoice Precision => _origin.Precision;

    /// <summary>What came down the pipeline, to group or join by its properties; null when parameters gave the item.</summary>
    public PSObject? InputObject => _origin.InputObject;

    /// <inheritdoc/>
    public override string ToString() => Id;
}

/// <summary>What was measured with what: the part of a result that is the same for every kind of measurement.</summary>
internal sealed record MeasureOrigin(
    string Id, PSObject? InputObject, string? Adapter, string Backend, double Strength, PrecisionChoice Precision);

/// <summary>Divergences over the whole vocabulary, one number for each scored token, in nats.</summary>
/// <param name="KlAdaptedBase">KL(adapted || base).</param>
/// <param name="KlBaseAdapted">KL(base || adapted).</param>
/// <param name="Js">Jensen-Shannon divergence, at most ln 2.</param>
public sealed record TokenDivergences(double[] KlAdaptedBase, double[] KlBaseAdapted, double[] Js)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Js.Length} tokens";
}
