using Sway.Scoring;
using Sway.Tokenization;

namespace Sway.PowerShell.Measuring;

/// <summary>Log-probabilities of a completion in one view.</summary>
/// <param name="LogProb">Their sum, in nats.</param>
/// <param name="TokenLogProbs">One for each token.</param>
/// <param name="Ranks">The rank of each token, 1 = the most probable.</param>
public sealed record LogprobView(double LogProb, double[] TokenLogProbs, int[] Ranks)
{
    /// <inheritdoc/>
    public override string ToString() => LogProb.ToString("R", System.Globalization.CultureInfo.InvariantCulture);

    internal static LogprobView? Of(ViewScore? score) => score is null ? null : new(score.Total, score.LogProbs, score.Ranks);
}

/// <summary>How probable a completion is after its prompt, for the base model and with the adapter.</summary>
public sealed class AdapterLogprob : MeasureResult
{
    private TokenScore[]? _scores;

    internal AdapterLogprob(MeasureOrigin origin)
        : base(origin)
    {
    }

    /// <summary>The prompt; null when it was given as tokens.</summary>
    public required string? Prompt { get; init; }

    /// <summary>The completion; null when it was given as tokens.</summary>
    public required string? Completion { get; init; }

    /// <summary>The number of scored tokens.</summary>
    public int TokenCount => TokenIds.Length;

    /// <summary>The log-probability in the base view, in nats.</summary>
    public double BaseLogProb => Base.LogProb;

    /// <summary>The log-probability in the adapted view, in nats; null without an adapter.</summary>
    public double? AdaptedLogProb => Adapted?.LogProb;

    /// <summary>Adapted minus base, in nats; positive when the adapter makes the completion more probable.</summary>
    public double? DeltaLogProb => AdaptedLogProb - BaseLogProb;

    /// <summary>The delta divided by the number of tokens.</summary>
    public double? DeltaPerToken => DeltaLogProb / TokenCount;

    /// <summary>The tokens before the scored ones, the start token included.</summary>
    public required int PromptTokenCount { get; init; }

    /// <summary>How prompt and completion meet in the tokens.</summary>
    public required BoundaryKind Boundary { get; init; }

    /// <summary>Bytes of the prompt in the first scored token.</summary>
    public required int MergedPromptBytes { get; init; }

    /// <summary>What was done about a start token.</summary>
    public required BosAction Bos { get; init; }

    /// <summary>The ids of the scored tokens.</summary>
    public required int[] TokenIds { get; init; }

    /// <summary>The texts of the scored tokens; null when the model has no tokenizer.</summary>
    public required string[]? Tokens { get; init; }

    /// <summary>The base view.</summary>
    public required LogprobView Base { get; init; }

    /// <summary>The adapted view; null without an adapter.</summary>
    public required LogprobView? Adapted { get; init; }

    /// <summary>Divergences at each token; null when they were not asked for.</summary>
    public required TokenDivergences? Divergence { get; init; }

    /// <summary>Everything that is known of each token.</summary>
    public TokenScore[] TokenScores => _scores ??= [.. TokenIds.Select((id, i) => new TokenScore
    {
        Index = i,
        Id = id,
        Text = Tokens?[i],
        Base = Base.TokenLogProbs[i],
        Adapted = Adapted?.TokenLogProbs[i],
        BaseRank = Base.Ranks[i],
        AdaptedRank = Adapted?.Ranks[i],
        KlAdaptedBase = Divergence?.KlAdaptedBase[i],
        KlBaseAdapted = Divergence?.KlBaseAdapted[i],
        Js = Divergence?.Js[i],
    })];
}
