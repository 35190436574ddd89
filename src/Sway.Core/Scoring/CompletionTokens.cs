namespace Sway.Scoring;

/// <summary>When a start token is put in front of a text; it is never doubled.</summary>
public enum BosMode
{
    /// <summary>What the model's own tokenizer does.</summary>
    Auto,

    /// <summary>Always; an error where the model names no start token.</summary>
    Always,

    /// <summary>Never.</summary>
    Never,
}

/// <summary>How a prompt and its completion become tokens.</summary>
public enum BoundaryMode
{
    /// <summary>As one text; the first scored token is the first that reaches past the prompt.</summary>
    Joint,

    /// <summary>Each by itself.</summary>
    Separate,

    /// <summary>As lm-eval does: trailing spaces of the prompt move to the completion, then the joined text is cut by token count.</summary>
    LmEval,
}

/// <summary>What was done about a start token.</summary>
public enum BosAction
{
    /// <summary>There is none.</summary>
    None,

    /// <summary>It was put in front.</summary>
    Added,

    /// <summary>The text begins with it already.</summary>
    Present,
}

/// <summary>The tokens of a prompt and a completion.</summary>
/// <param name="Sequence">Prompt and completion; the completion is scored.</param>
/// <param name="Boundary">How prompt and completion meet.</param>
/// <param name="MergedPromptBytes">Bytes of the prompt in the first scored token.</param>
/// <param name="Bos">What was done about a start token.</param>
public sealed record CompletionTokens(TokenSequence Sequence, Tokenization.BoundaryKind Boundary, int MergedPromptBytes, BosAction Bos);
