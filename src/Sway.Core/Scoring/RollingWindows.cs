namespace Sway.Scoring;

/// <summary>How a long text is cut into windows.</summary>
public enum RollingPreset
{
    /// <summary>Windows of the maximum length that advance by half (or a stride); each token scored once, in the first window that holds it.</summary>
    Full,

    /// <summary>Disjoint windows as lm-eval makes them, the last one full, one prefix token at the start.</summary>
    LmEval,

    /// <summary>Chunks as llama-perplexity makes them: the start token over each chunk's first, the second half scored.</summary>
    LlamaCpp,
}

/// <summary>Window plans for rolling log-probabilities; each window is scored by itself.</summary>
public static class RollingWindows
{
    /// <summary>Makes the windows of a text.</summary>
    /// <param name="preset">The rule.</param>
    /// <param name="text">The text's tokens, without a start token.</param>
    /// <param name="start">The start token, or null; <see cref="RollingPreset.LmEval"/> and <see cref="RollingPreset.LlamaCpp"/> need one.</param>
    /// <param name="window">The longest window, in tokens that the model reads.</param>
    /// <param name="stride">How far windows of <see cref="RollingPreset.Full"/> advance; 0 = half the window.</param>
    /// <returns>The windows; none when nothing can be scored.</returns>
    /// <exception cref="ScoringException">The preset needs a start token, or the window is too short.</exception>
    public static IReadOnlyList<TokenSequence> Plan(RollingPreset preset, IReadOnlyList<int> text, int? start, int window, int stride = 0)
    {
        if (window < 2)
        {
            throw new ScoringException($"A window of {window} tokens scores nothing.");
        }

        return preset switch
        {
            RollingPreset.Full => Full(Stream(text, start), window, stride > 0 ? Math.Min(stride, window) : Math.Max(1, window / 2)),
            RollingPreset.LmEval => LmEval(text, Need(start, preset), window),
            _ => LlamaCpp(Stream(text, Need(start, preset)), window),
        };
    }

    private static int Need(int? start, RollingPreset preset) =>
        start ?? throw new ScoringException($"The preset {preset} needs a start token, and the model names none.");

    private static List<int> Stream(IReadOnlyList<int> text, int? start) => start is { } first ? [first, .. text] : [.. text];

    private static List<TokenSequence> Full(List<int> stream, int window, int stride)
    {
        var windows = new List<TokenSequence>();
        var scored = 1;
        for (var begin = 0; scored < stream.Count; begin += stride)
        {
            var end = Math.Min(begin + window, stream.Count);
            if (end > scored)
            {
                // With a stride of the whole window a token at a border would have nothing before it.
                var from = Math.Min(begin, scored - 1);
                windows.Add(new TokenSequence(stream.GetRange(from, end - from), scored - from));
                scored = end;
            }
        }

        return windows;
    }

    private static List<TokenSequence> LmEval(IReadOnlyList<int> text, int prefix, int window)
    {
        var windows = new List<TokenSequence>();
        if (text.Count == 0)
        {
            return windows;
        }

        var first = Math.Min(window, text.Count);
        windows.Add(new TokenSequence([prefix, .. text.Take(first)], 1));
        for (var from = first; from < text.Count; from += window)
        {
            var end = Math.Min(from + window, text.Count);
            var begin = end - window - 1;
            windows.Add(new TokenSequence([.. text.Skip(begin).Take(end - begin)], from - begin));
        }

        return windows;
    }

    private static List<TokenSequence> LlamaCpp(List<int> stream, int window)
    {
        var windows = new List<TokenSequence>();
        for (var begin = 0; begin + window <= stream.Count; begin += window)
        {
            List<int> chunk = [stream[0], .. stream.GetRange(begin + 1, window - 1)];
            windows.Add(new TokenSequence(chunk, (window / 2) + 1));
        }

        return windows;
    }
}
