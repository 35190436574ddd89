namespace Sway.PowerShell.Measuring;

/// <summary>What is known of one scored token.</summary>
public sealed class TokenScore
{
    /// <summary>Its place among the scored tokens, from 0.</summary>
    public required int Index { get; init; }

    /// <summary>Its id.</summary>
    public required int Id { get; init; }

    /// <summary>Its text; null when the model has no tokenizer.</summary>
    public required string? Text { get; init; }

    /// <summary>Its log-probability in the base view, in nats; null where only divergences were measured.</summary>
    public double? Base { get; init; }

    /// <summary>Its log-probability in the adapted view, in nats.</summary>
    public double? Adapted { get; init; }

    /// <summary>Adapted minus base.</summary>
    public double? Delta => Adapted - Base;

    /// <summary>Its rank in the base view, 1 = the most probable token.</summary>
    public int? BaseRank { get; init; }

    /// <summary>Its rank in the adapted view.</summary>
    public int? AdaptedRank { get; init; }

    /// <summary>KL(adapted || base) of the distributions that predict it, in nats.</summary>
    public double? KlAdaptedBase { get; init; }

    /// <summary>KL(base || adapted), in nats.</summary>
    public double? KlBaseAdapted { get; init; }

    /// <summary>Jensen-Shannon divergence, in nats.</summary>
    public double? Js { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Text ?? Id.ToString(null, null);
}
