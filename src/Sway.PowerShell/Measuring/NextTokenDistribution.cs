namespace Sway.PowerShell.Measuring;

/// <summary>The most probable next tokens in one view.</summary>
/// <param name="Ids">Their ids, most probable first; ties by id.</param>
/// <param name="Tokens">Their texts; null when the model has no tokenizer.</param>
/// <param name="LogProbs">Their log-probabilities in nats.</param>
/// <param name="TailLogProb">ln of the probability of all others; null when there is none.</param>
public sealed record NextTokenView(int[] Ids, string[]? Tokens, double[] LogProbs, double? TailLogProb)
{
    /// <inheritdoc/>
    public override string ToString() => Tokens is { Length: > 0 } ? Tokens[0] : Ids[0].ToString(null, null);
}

/// <summary>A place in the ranking of next tokens, in both views.</summary>
/// <param name="Rank">From 1.</param>
/// <param name="BaseToken">The base view's token at this rank; its id when the model has no tokenizer.</param>
/// <param name="BaseProbability">Its probability.</param>
/// <param name="AdaptedToken">The adapted view's token at this rank.</param>
/// <param name="AdaptedProbability">Its probability.</param>
public sealed record NextTokenRank(int Rank, string BaseToken, double BaseProbability, string? AdaptedToken, double? AdaptedProbability);

/// <summary>What base model and adapter expect after a prompt.</summary>
public sealed class NextTokenDistribution : MeasureResult
{
    internal NextTokenDistribution(MeasureOrigin origin)
        : base(origin)
    {
    }

    /// <summary>The prompt; null when it was given as tokens.</summary>
    public required string? Prompt { get; init; }

    /// <summary>The most probable token of the base view.</summary>
    public string BaseToken => TextOf(Base, 0);

    /// <summary>Its probability.</summary>
    public double BaseProbability => Math.Exp(Base.LogProbs[0]);

    /// <summary>The most probable token of the adapted view; null without an adapter.</summary>
    public string? AdaptedToken => Adapted is null ? null : TextOf(Adapted, 0);

    /// <summary>Its probability.</summary>
    public double? AdaptedProbability => Adapted is null ? null : Math.Exp(Adapted.LogProbs[0]);

    /// <summary>The tokens of the prompt, the start token included.</summary>
    public required int PromptTokenCount { get; init; }

    /// <summary>The number of tokens in the vocabulary.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>The base view.</summary>
    public required NextTokenView Base { get; init; }

    /// <summary>The adapted view; null without an adapter.</summary>
    public required NextTokenView? Adapted { get; init; }

    /// <summary>Both views side by side, most probable first.</summary>
    public NextTokenRank[] Ranking => [.. Enumerable.Range(0, Base.Ids.Length).Select(i => new NextTokenRank(
        i + 1,
        TextOf(Base, i),
        Math.Exp(Base.LogProbs[i]),
        Adapted is null ? null : TextOf(Adapted, i),
        Adapted is null ? null : Math.Exp(Adapted.LogProbs[i])))];

    private static string TextOf(NextTokenView view, int i) => view.Tokens?[i] ?? view.Ids[i].ToString(null, null);
}
