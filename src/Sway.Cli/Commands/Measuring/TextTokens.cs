using System.Text.Json.Nodes;
using Sway.Scoring;
using Sway.Tokenization;

namespace Sway.Cli.Commands.Measuring;

/// <summary>How prompt and completion become tokens.</summary>
internal enum BoundaryChoice
{
    Joint,
    Separate,
    LmEval,
}

/// <summary>The tokens of a prompt and a completion.</summary>
/// <param name="Sequence">Prompt and completion; the completion is scored.</param>
/// <param name="Boundary">How prompt and completion meet.</param>
/// <param name="MergedPromptBytes">Bytes of the prompt in the first scored token.</param>
/// <param name="Bos">What was done about a start token.</param>
internal sealed record CompletionTokens(TokenSequence Sequence, string Boundary, int MergedPromptBytes, string Bos);

/// <summary>Input items as tokens. Items with token ids are taken as they are.</summary>
internal sealed class TextTokens(ScoringSession session, BosChoice bos)
{
    private readonly Lazy<Tokenizer> _tokenizer = new(() => Tokenizer.Load(session.ModelPath));

    /// <summary>The start token that windows need: the tokenizer's own, else what the configuration names.</summary>
    internal int? Start(bool endToo) => HasTokenizer
        ? _tokenizer.Value.TemplatePrefix is [var first, ..] ? first : _tokenizer.Value.BosId ?? (endToo ? _tokenizer.Value.EosId : null)
        : session.Config.OptionalInt("bos_token_id");

    /// <summary>The start token of a whole text under <c>--bos</c>.</summary>
    internal int? TextStart() => bos switch
    {
        BosChoice.Never => null,
        BosChoice.Always => Start(endToo: false),
        _ => HasTokenizer && _tokenizer.Value.TemplatePrefix is [var first, ..] ? first : null,
    };

    /// <summary>The texts of tokens, or null without a tokenizer.</summary>
    internal IEnumerable<string>? Texts(IEnumerable<int> ids) =>
        HasTokenizer ? ids.Select(id => _tokenizer.Value.Decode([id], skipSpecial: false)) : null;

    /// <summary>The text of generated tokens, or null without a tokenizer.</summary>
    internal string? Decode(IReadOnlyList<int> ids) => HasTokenizer ? _tokenizer.Value.Decode([.. ids], skipSpecial: true) : null;

    /// <summary>The tokens that end a generated text.</summary>
    internal IReadOnlySet<int> EndTokens() =>
        Scoring.EndTokens.Of(session.ModelPath, session.Config, HasTokenizer ? _tokenizer.Value.EosId : null);

    /// <summary>The tokens of a prompt and its completion.</summary>
    internal CompletionTokens Completion(JsonObject item, BoundaryChoice boundary)
    {
        if (MeasureInput.Ids(item, "promptIds") is { } prompt && MeasureInput.Ids(item, "completionIds") is { } completion)
        {
            return Join(prompt, completion, "Clean", 0, "None");
        }

        string promptText = MeasureInput.Text(item, "prompt") ?? throw new AdapterFormatException("The item has no prompt.");
        string completionText = MeasureInput.Text(item, "completion") ?? throw new AdapterFormatException("The item has no completion.");
        if (boundary == BoundaryChoice.Separate)
        {
            return Prefixed(Plain(promptText), Plain(completionText), "Clean", 0);
        }

        if (boundary == BoundaryChoice.LmEval)
        {
            string trimmed = WithoutSpaceAtEnd(promptText);
            int[] whole = Plain(promptText + completionText);
            int count = Math.Min(Plain(trimmed).Length, whole.Length);
            return Prefixed(whole[..count], whole[count..], "Clean", 0);
        }

        // Special tokens that a template puts after a text are no part of a completion.
        PromptBoundary found = PromptBoundary.Find(_tokenizer.Value, promptText, completionText, addSpecialTokens: false);
        int first = found.FirstCompletionToken ?? found.Encoding.Ids.Length;
        return Prefixed(found.Encoding.Ids[..first], found.Encoding.Ids[first..], found.Kind.ToString(), found.MergedPromptBytes);
    }

    /// <summary>The tokens of a text, without a start token.</summary>
    internal int[] Text(JsonObject item) => MeasureInput.Ids(item, "ids")
        ?? Plain(MeasureInput.Text(item, "text") ?? throw new AdapterFormatException("The item has no text."));

    /// <summary>The tokens of a prompt with its start token.</summary>
    internal int[] Prompt(JsonObject item)
    {
        if (MeasureInput.Ids(item, "promptIds") is { } ids)
        {
            return ids;
        }

        int[] plain = Plain(MeasureInput.Text(item, "prompt") ?? throw new AdapterFormatException("The item has no prompt."));
        return [.. PrefixFor(plain).Prefix, .. plain];
    }

    // lm-eval takes white space as Python does, which counts the four separators of ASCII, too.
    private static string WithoutSpaceAtEnd(string text)
    {
        int end = text.Length;
        while (end > 0 && (char.IsWhiteSpace(text[end - 1]) || text[end - 1] is >= '\u001C' and <= '\u001F'))
        {
            end--;
        }

        return text[..end];
    }

    private bool HasTokenizer => File.Exists(Path.Combine(session.ModelPath, "tokenizer.json"));

    private int[] Plain(string text) => _tokenizer.Value.Encode(text, addSpecialTokens: false).Ids;

    private CompletionTokens Prefixed(int[] prompt, int[] completion, string boundary, int merged)
    {
        (int[] prefix, string done) = PrefixFor(prompt);
        return Join([.. prefix, .. prompt], completion, boundary, merged, done);
    }

    // Never doubled: a text that begins with the start token keeps its own.
    private (int[] Prefix, string Done) PrefixFor(int[] text)
    {
        int[] own = bos switch
        {
            BosChoice.Never => [],
            BosChoice.Always => Start(endToo: false) is { } start ? [start] : throw new ScoringException("The model names no start token."),
            _ => [.. _tokenizer.Value.TemplatePrefix],
        };
        return own.Length == 0 ? ([], "None") : text.AsSpan().StartsWith(own) ? ([], "Present") : (own, "Added");
    }

    private static CompletionTokens Join(int[] prompt, int[] completion, string boundary, int merged, string bos)
    {
        if (completion.Length == 0)
        {
            throw new ScoringException("A completion without tokens cannot be scored.");
        }

        return prompt.Length == 0
            ? throw new ScoringException("An empty prompt needs a start token in front, else the first token cannot be scored.")
            {
                Remedy = "Use --bos always, or give a prompt.",
            }
            : new CompletionTokens(new TokenSequence([.. prompt, .. completion], prompt.Length), boundary, merged, bos);
    }
}
