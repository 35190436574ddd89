namespace Sway.Scoring;

/// <summary>
/// Scores bounded batches of sequences. It is the border between items (texts, completions, windows) and the forward pass: what keeps
/// scores, counts them or asks a server for them wraps or replaces this, and knows nothing of either side.
/// </summary>
public interface ISequenceScorer
{
    /// <summary>Number of tokens in the vocabulary; ids are below it.</summary>
    int VocabularySize { get; }

    /// <summary>Scores one wave. Results do not depend on what else is in it.</summary>
    /// <param name="wave">The sequences; all valid (<see cref="TokenSequence.Validate"/>).</param>
    /// <param name="divergence">Whether divergences are wanted; they need two views.</param>
    /// <param name="advanced">
    /// Called with the share of the wave that is done, 0 to 1, never less than before, after each layer and each block of logits: one
    /// long window is a wave. Or null.
    /// </param>
    /// <param name="cancellationToken">Stops within about 100 ms.</param>
    /// <returns>The result of each sequence, in the order of the wave.</returns>
    /// <exception cref="ScoringException">A number is not finite.</exception>
    /// <exception cref="OperationCanceledException">The run was stopped.</exception>
    SequenceScore[] Score(
        IReadOnlyList<TokenSequence> wave, bool divergence, Action<double>? advanced, CancellationToken cancellationToken);
}
