namespace Sway.Scoring;

/// <summary>Tokens of which the last ones are scored.</summary>
/// <param name="Ids">All token ids.</param>
/// <param name="FirstScored">Index of the first scored token, at least 1.</param>
public sealed record TokenSequence(IReadOnlyList<int> Ids, int FirstScored);

/// <summary>What one view says of scored tokens.</summary>
/// <param name="LogProbs">ln p of each scored token given all before it, in nats.</param>
/// <param name="Ranks">1 + the number of tokens with a strictly higher logit.</param>
public sealed record ViewScore(double[] LogProbs, int[] Ranks)
{
    /// <summary>The sum of the log-probabilities.</summary>
    public double Total => LogProbs.Sum();
}

/// <summary>Exact divergences over the whole vocabulary at each scored position, in nats.</summary>
/// <param name="AdaptedBase">KL(adapted || base).</param>
/// <param name="BaseAdapted">KL(base || adapted).</param>
/// <param name="JensenShannon">Jensen-Shannon divergence.</param>
public sealed record DivergenceScore(double[] AdaptedBase, double[] BaseAdapted, double[] JensenShannon);

/// <summary>The scores of one sequence.</summary>
/// <param name="Base">The base view.</param>
/// <param name="Adapted">The adapted view, or null without an adapter.</param>
/// <param name="Divergence">The divergences, or null when not asked for.</param>
public sealed record SequenceScore(ViewScore Base, ViewScore? Adapted, DivergenceScore? Divergence);
