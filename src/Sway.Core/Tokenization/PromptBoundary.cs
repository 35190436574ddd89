namespace Sway.Tokenization;

/// <summary>How a prompt and its completion meet in the tokens of the joined text.</summary>
public enum BoundaryKind
{
    /// <summary>The joined text's tokens begin with the prompt's own tokens.</summary>
    Clean,

    /// <summary>A token straddles the boundary.</summary>
    Merged,

    /// <summary>No token straddles the boundary, but the prompt is tokenized differently on its own.</summary>
    Shifted,
}

/// <summary>A prompt and completion tokenized as one text, and where the completion begins.</summary>
/// <param name="Encoding">The tokens of prompt + completion.</param>
/// <param name="FirstCompletionToken">The index of the first token whose bytes reach past the prompt; null when none does.</param>
/// <param name="Kind">How the two meet.</param>
/// <param name="MergedPromptBytes">How many bytes of the prompt the first completion token holds; 0 unless merged.</param>
public sealed record PromptBoundary(Encoding Encoding, int? FirstCompletionToken, BoundaryKind Kind, int MergedPromptBytes)
{
    /// <summary>Tokenizes <paramref name="prompt"/> + <paramref name="completion"/> as one text and finds the boundary.</summary>
    public static PromptBoundary Find(Tokenizer tokenizer, string prompt, string completion, bool addSpecialTokens)
    {
        var joined = tokenizer.Encode(prompt + completion, addSpecialTokens);
        var promptBytes = System.Text.Encoding.UTF8.GetByteCount(prompt);
        var first = Array.FindIndex(joined.ByteSpans, s => s.End > promptBytes);
        if (first < 0)
        {
            return new PromptBoundary(joined, null, BoundaryKind.Clean, 0);
        }

        var merged = Math.Max(0, promptBytes - joined.ByteSpans[first].Start);
        var kind = merged > 0 ? BoundaryKind.Merged
            : BeginsWithPrompt(tokenizer, prompt, joined, first) ? BoundaryKind.Clean : BoundaryKind.Shifted;
        return new PromptBoundary(joined, first, kind, merged);
    }

    private static bool BeginsWithPrompt(Tokenizer tokenizer, string prompt, Encoding joined, int first)
    {
        var alone = tokenizer.Encode(prompt, addSpecialTokens: false).Ids;
        var own = new List<int>(first);
        for (var i = 0; i < first; i++)
        {
            if (!joined.IsInserted[i])
            {
                own.Add(joined.Ids[i]);
            }
        }

        return alone.AsSpan().SequenceEqual(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(own));
    }
}
