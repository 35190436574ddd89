namespace Sway.Tokenization;

/// <summary>A token outside the model's own vocabulary, or one that is cut out of the text before the model sees it.</summary>
internal sealed record AddedToken(string Content)
{
    public bool SingleWord { get; init; }

    public bool LeftStrip { get; init; }

    public bool RightStrip { get; init; }

    public bool Normalized { get; init; }

    public bool Special { get; init; }
}
