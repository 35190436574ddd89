namespace Sway.Tokenization;

/// <summary>The tokens of a text.</summary>
public sealed class Encoding
{
    internal Encoding(int[] ids, (int Start, int End)[] byteSpans, bool[]? inserted)
    {
        Ids = ids;
        ByteSpans = byteSpans;
        IsInserted = inserted ?? new bool[ids.Length];
    }

    /// <summary>The token ids, in order.</summary>
    public int[] Ids { get; }

    /// <summary>
    /// For each token the UTF-8 bytes of the text it stands for, rounded to whole characters as the reference library
    /// reports them; (0, 0) for a token that a template put in. Spans of neighbours can overlap.
    /// </summary>
    public (int Start, int End)[] ByteSpans { get; }

    /// <summary>True for tokens that the post-processor put in (start and end tokens).</summary>
    public bool[] IsInserted { get; }
}
