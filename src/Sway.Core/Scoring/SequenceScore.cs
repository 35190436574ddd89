namespace Sway.Scoring;

/// <summary>Tokens of which the last ones are scored.</summary>
/// <param name="Ids">All token ids.</param>
/// <param name="FirstScored">Index of the first scored token, at least 1.</param>
public sealed record TokenSequence(IReadOnlyList<int> Ids, int FirstScored)
{
    /// <summary>Checks that there is something to score and every id is in the vocabulary.</summary>
    /// <param name="vocabularySize">Number of tokens.</param>
    /// <exception cref="ScoringException">It cannot be scored.</exception>
    public void Validate(int vocabularySize)
    {
        if (FirstScored < 1 || FirstScored >= Ids.Count)
        {
            throw new ScoringException("A sequence needs one token before the first scored one and at least one scored token.");
        }

        foreach (var id in Ids)
        {
            if ((uint)id >= (uint)vocabularySize)
            {
                throw new ScoringException($"Token {id} is outside the vocabulary of {vocabularySize}.")
                {
                    Remedy = "Use the tokenizer of this model.",
                };
            }
        }
    }
}

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

/// <summary>An item and what came of it: a score or an error.</summary>
/// <typeparam name="T">What the caller's items are.</typeparam>
/// <param name="Item">The item.</param>
/// <param name="Sequence">Its tokens; null when they could not be made.</param>
/// <param name="Score">Its score, or null.</param>
/// <param name="Error">Why it has none, or null.</param>
public sealed record ScoredItem<T>(T Item, TokenSequence? Sequence, SequenceScore? Score, SwayException? Error);

/// <summary>An item of several sequences and what came of it.</summary>
/// <typeparam name="T">What the caller's items are.</typeparam>
/// <param name="Item">The item.</param>
/// <param name="Scores">The scores of its sequences in order; none when it failed or had none.</param>
/// <param name="Error">Why it failed, or null.</param>
public sealed record ScoredGroup<T>(T Item, IReadOnlyList<SequenceScore> Scores, SwayException? Error);

// One sequence of an item of several, or the item's error; an item without sequences is one piece with nothing to score.
internal readonly record struct WindowPiece<T>(T Item, TokenSequence? Sequence, bool IsLast, SwayException? Error)
{
    public static IEnumerable<WindowPiece<T>> Of(T item, Func<T, IReadOnlyList<TokenSequence>> windows)
    {
        try
        {
            var all = windows(item);
            return all.Count == 0
                ? [new WindowPiece<T>(item, null, true, null)]
                : all.Select((sequence, i) => new WindowPiece<T>(item, sequence, i == all.Count - 1, null));
        }
        catch (SwayException e)
        {
            return [new WindowPiece<T>(item, null, true, e)];
        }
    }

    public TokenSequence? Tokens() => Error is null ? Sequence : throw Error;
}
