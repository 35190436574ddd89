namespace Sway.Scoring;

/// <summary>A text as tokens, ready to be cut into windows.</summary>
/// <param name="Ids">The tokens, without the start token.</param>
/// <param name="Start">The start token that windows use, or null.</param>
/// <param name="Bos">What was done about a start token.</param>
/// <param name="ByteEdges">
/// For each token the first of its UTF-8 bytes in the text, then the text's length; null for a text that was given as tokens.
/// </param>
public sealed record RollingText(IReadOnlyList<int> Ids, int? Start, BosAction Bos, IReadOnlyList<int>? ByteEdges)
{
    /// <summary>Makes the windows.</summary>
    /// <inheritdoc cref="RollingWindows.Plan"/>
    public IReadOnlyList<TokenSequence> Plan(RollingPreset preset, int window, int stride = 0) =>
        RollingWindows.Plan(preset, Ids, Start, window, stride);

    /// <summary>
    /// The UTF-8 bytes that the scored tokens stand for; null when that is not known. A character of several tokens counts with the last.
    /// </summary>
    /// <param name="preset">The rule of the windows.</param>
    /// <param name="window">The longest window.</param>
    public int? ScoredBytes(RollingPreset preset, int window)
    {
        if (ByteEdges is null)
        {
            return null;
        }

        if (preset != RollingPreset.LlamaCpp)
        {
            // Without a start token nothing predicts the first token.
            return ByteEdges[^1] - ByteEdges[Math.Min(Start is null ? 1 : 0, Ids.Count)];
        }

        var bytes = 0;

        // Positions of the stream, in which the start token comes first.
        for (var begin = 0; begin + window <= Ids.Count + 1; begin += window)
        {
            bytes += ByteEdges[begin + window - 1] - ByteEdges[begin + (window / 2)];
        }

        return bytes;
    }
}
