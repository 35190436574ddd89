using Sway.Scoring;

namespace Sway.PowerShell.Measuring;

/// <summary>How far an adapter moves the next-token distributions along a text; exact, over the whole vocabulary, in nats.</summary>
public sealed class AdapterDivergence : MeasureResult
{
    private TokenScore[]? _scores;

    internal AdapterDivergence(MeasureOrigin origin)
        : base(origin)
    {
    }

    /// <summary>The number of positions: one for each token that something precedes.</summary>
    public int TokenCount => TokenIds.Length;

    /// <summary>The mean of KL(adapted || base); null when there is no position.</summary>
    public double? MeanKlAdaptedBase => Mean(Divergence.KlAdaptedBase);

    /// <summary>The mean of KL(base || adapted).</summary>
    public double? MeanKlBaseAdapted => Mean(Divergence.KlBaseAdapted);

    /// <summary>The mean Jensen-Shannon divergence, from 0 to ln 2.</summary>
    public double? MeanJs => Mean(Divergence.Js);

    /// <summary>The largest Jensen-Shannon divergence.</summary>
    public double? MaxJs => TokenCount > 0 ? Divergence.Js.Max() : null;

    /// <summary>What was done about a start token.</summary>
    public required BosAction Bos { get; init; }

    /// <summary>The ids of the tokens whose predictions were compared.</summary>
    public required int[] TokenIds { get; init; }

    /// <summary>The divergences at each token.</summary>
    public required TokenDivergences Divergence { get; init; }

    /// <summary>Everything that is known of each token; made when it is first asked for.</summary>
    public TokenScore[] TokenScores => _scores ??= Make();

    internal Func<int[], string[]?> Texts { get; init; } = _ => null;

    private static double? Mean(double[] values) => values.Length > 0 ? values.Average() : null;

    private TokenScore[] Make()
    {
        string[]? texts = Texts(TokenIds);
        return [.. TokenIds.Select((id, i) => new TokenScore
        {
            Index = i,
            Id = id,
            Text = texts?[i],
            KlAdaptedBase = Divergence.KlAdaptedBase[i],
            KlBaseAdapted = Divergence.KlBaseAdapted[i],
            Js = Divergence.Js[i],
        })];
    }
}
