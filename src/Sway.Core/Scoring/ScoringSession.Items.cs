namespace Sway.Scoring;

/// <summary>How items of any kind come through the session: in bounded waves, in order, each with its result or its error.</summary>
public sealed partial class ScoringSession
{
    /// <summary>Scores sequences, in waves and in order.</summary>
    /// <param name="sequences">The sequences; each with at least one scored token.</param>
    /// <param name="divergence">Whether divergences are wanted.</param>
    /// <param name="progress">Receives the tokens done so far, in even steps also while one long sequence is computed.</param>
    /// <param name="cancellationToken">Stops within about 100 ms, also in the middle of a large product.</param>
    /// <exception cref="ScoringException">A number is not finite, a token is outside the vocabulary, nothing is scored.</exception>
    public IEnumerable<SequenceScore> Score(
        IEnumerable<TokenSequence> sequences, bool divergence = false, IProgress<long>? progress = null, CancellationToken cancellationToken = default) =>
        ScoreItems(sequences, sequence => sequence, divergence, progress, cancellationToken).Select(item => item.Score ?? throw item.Error!);

    /// <summary>Scores items of any kind, in waves and in order; an item that fails is given with its error, and the others go on.</summary>
    /// <typeparam name="T">What the caller's items are.</typeparam>
    /// <param name="items">The items; no more of them is read ahead than one wave.</param>
    /// <param name="tokens">
    /// Gives an item's tokens, null where nothing is to be scored, or throws a <see cref="SwayException"/> that becomes the item's error.
    /// </param>
    /// <param name="divergence">Whether divergences are wanted.</param>
    /// <param name="progress">Receives the tokens done so far, in even steps also while one long sequence is computed.</param>
    /// <param name="cancellationToken">Stops within about 100 ms, also in the middle of a large product.</param>
    /// <exception cref="OperationCanceledException">It was stopped; items given before are whole.</exception>
    public IEnumerable<ScoredItem<T>> ScoreItems<T>(
        IEnumerable<T> items, Func<T, TokenSequence?> tokens, bool divergence = false, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default) =>
        new WavePipeline(this, _options.WaveTokens, _options.SharePrefixes).Score(items, tokens, divergence, progress, cancellationToken);

    /// <summary>
    /// Scores items of several sequences each (windows of a text), in waves and in order; windows of short texts run together.
    /// </summary>
    /// <typeparam name="T">What the caller's items are.</typeparam>
    /// <param name="items">The items; no more of them is read ahead than one wave.</param>
    /// <param name="windows">Gives an item's sequences, or throws a <see cref="SwayException"/> that becomes the item's error.</param>
    /// <param name="divergence">Whether divergences are wanted.</param>
    /// <param name="progress">Receives the tokens done so far, in even steps also while one long sequence is computed.</param>
    /// <param name="cancellationToken">Stops within about 100 ms, also in the middle of a large product.</param>
    /// <exception cref="OperationCanceledException">It was stopped; items given before are whole.</exception>
    public IEnumerable<ScoredGroup<T>> ScoreGroups<T>(
        IEnumerable<T> items, Func<T, IReadOnlyList<TokenSequence>> windows, bool divergence = false, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        var scores = new List<SequenceScore>();
        SwayException? error = null;
        var pieces = items.SelectMany(item => WindowPiece<T>.Of(item, windows));
        foreach (var scored in ScoreItems(pieces, piece => piece.Tokens(), divergence, progress, cancellationToken))
        {
            error ??= scored.Error;
            if (scored.Score is { } score)
            {
                scores.Add(score);
            }

            if (scored.Item.IsLast)
            {
                yield return new ScoredGroup<T>(scored.Item.Item, error is null ? scores : [], error);
                (scores, error) = ([], null);
            }
        }
    }

    /// <summary>Scores one sequence.</summary>
    public SequenceScore Score(TokenSequence sequence, bool divergence = false, CancellationToken cancellationToken = default) =>
        Score([sequence], divergence, null, cancellationToken).Single();
}
