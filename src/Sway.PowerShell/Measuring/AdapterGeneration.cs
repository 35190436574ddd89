namespace Sway.PowerShell.Measuring;

/// <summary>Which views generate.</summary>
public enum GenerationView
{
    /// <summary>Base and adapted, where there is an adapter.</summary>
    Both,

    /// <summary>The base model.</summary>
    Base,

    /// <summary>The base model with the adapter.</summary>
    Adapted,
}

/// <summary>Why a generated text ends.</summary>
public enum GenerationEnd
{
    /// <summary>As many tokens as asked for.</summary>
    MaxTokens,

    /// <summary>The model ended it.</summary>
    EndToken,
}

/// <summary>What one view writes after a prompt.</summary>
/// <param name="Text">The text without special tokens; null when the model has no tokenizer.</param>
/// <param name="Ids">The tokens, the end token included.</param>
/// <param name="End">Why it ends.</param>
public sealed record GeneratedText(string? Text, int[] Ids, GenerationEnd End)
{
    /// <inheritdoc/>
    public override string ToString() => Text ?? string.Join(' ', Ids);
}

/// <summary>What base model and adapter write after a prompt.</summary>
public sealed class AdapterGeneration : MeasureResult
{
    internal AdapterGeneration(MeasureOrigin origin)
        : base(origin)
    {
    }

    /// <summary>The prompt; null when it was given as tokens.</summary>
    public required string? Prompt { get; init; }

    /// <summary>The text of the base view.</summary>
    public string? BaseText => Base?.ToString();

    /// <summary>The text of the adapted view.</summary>
    public string? AdaptedText => Adapted?.ToString();

    /// <summary>The tokens of the prompt, the start token included.</summary>
    public required int PromptTokenCount { get; init; }

    /// <summary>The base view; null when it was not asked for.</summary>
    public required GeneratedText? Base { get; init; }

    /// <summary>The adapted view; null without an adapter, or when it was not asked for.</summary>
    public required GeneratedText? Adapted { get; init; }
}

/// <summary>A piece of a text while it is generated. As a string it is its text.</summary>
/// <param name="Id">The item's name.</param>
/// <param name="View">The view that generates.</param>
/// <param name="TokenId">The token.</param>
/// <param name="Text">The text that is certain with this token; empty while a character is incomplete.</param>
/// <param name="Adapter">The adapter's path; null for the base view.</param>
public sealed record GeneratedToken(string Id, GenerationView View, int TokenId, string Text, string? Adapter)
{
    /// <inheritdoc/>
    public override string ToString() => Text;
}
