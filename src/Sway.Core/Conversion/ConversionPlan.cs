using Sway.Tensors;

namespace Sway.Conversion;

/// <summary>What becomes of one source tensor.</summary>
/// <param name="Source">The tensor's name in the source.</param>
/// <param name="Outputs">The names in the output that it goes into; empty when it is left out.</param>
/// <param name="Explanation">What is done with it, and why, in a few words.</param>
public sealed record TensorFate(string Source, IReadOnlyList<string> Outputs, string Explanation);

/// <summary>Everything that a conversion will write, made from headers alone.</summary>
public sealed class ConversionPlan : IDisposable
{
    private IReadOnlyList<IDisposable> _owned;

    /// <summary>Joins the parts; the plan owns the open source.</summary>
    public ConversionPlan(IDisposable owner)
    {
        _owned = [owner];
    }

    /// <summary>The tensors of the output, in file order.</summary>
    public required IReadOnlyList<PlannedTensor> Tensors { get; init; }

    /// <summary>The name of the tensors' file.</summary>
    public required string TensorFileName { get; init; }

    /// <summary>The output's configuration, as UTF-8 JSON.</summary>
    public required byte[] Configuration { get; init; }

    /// <summary>What the result will say; sizes and times are not filled in.</summary>
    public required AdapterConversionResult Summary { get; init; }

    /// <summary>What becomes of each source tensor, in the source's order.</summary>
    public required IReadOnlyList<TensorFate> Fates { get; init; }

    /// <summary>Free text for the tensors' file; null for none.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>The source's delta of each module of the output, for verifying; empty where the target has its own check.</summary>
    public IReadOnlyList<PlannedDelta> Deltas { get; init; } = [];

    /// <summary>The target's own check: gets the written folder, gives the largest relative difference of any delta; null where
    /// <see cref="Deltas"/> serve.</summary>
    internal Func<string, CancellationToken, double>? Verification { get; init; }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IDisposable item in _owned)
        {
            item.Dispose();
        }
    }

    /// <summary>Takes over everything that the plan's expressions read from.</summary>
    internal void Own(IReadOnlyList<IDisposable> owned) => _owned = owned;
}
