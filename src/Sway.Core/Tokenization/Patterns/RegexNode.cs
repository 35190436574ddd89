namespace Sway.Tokenization.Patterns;

/// <summary>How a repetition gives characters back.</summary>
internal enum RepeatMode
{
    Greedy,
    Lazy,
    Possessive,
}

/// <summary>Positions that match without consuming.</summary>
internal enum AnchorKind
{
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    TextEndOrLastNewline,
    SearchStart,
    WordBoundary,
    NotWordBoundary,
}

/// <summary>The syntax tree of a regular expression.</summary>
internal abstract record RegexNode;

internal sealed record SetNode(CharacterSet Set) : RegexNode;

internal sealed record SequenceNode(IReadOnlyList<RegexNode> Items) : RegexNode;

internal sealed record AlternativesNode(IReadOnlyList<RegexNode> Items) : RegexNode;

internal sealed record RepeatNode(RegexNode Body, int Minimum, int Maximum, RepeatMode Mode) : RegexNode;

internal sealed record AtomicNode(RegexNode Body) : RegexNode;

internal sealed record LookNode(RegexNode Body, bool Behind, bool Negative) : RegexNode;

internal sealed record AnchorNode(AnchorKind Kind) : RegexNode;
