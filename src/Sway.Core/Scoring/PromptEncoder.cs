using Sway.Architectures;
using Sway.Tokenization;

namespace Sway.Scoring;

/// <summary>
/// Turns prompts, completions and texts into the token sequences that are scored, under one rule for start tokens and one for the
/// boundary between prompt and completion. Safe for use by many threads at once.
/// </summary>
public sealed class PromptEncoder
{
    private readonly string _modelPath;
    private readonly ModelConfig _config;
    private readonly BosMode _bos;
    private readonly Lazy<Tokenizer> _tokenizer;

    /// <summary>Makes an encoder for a model; its tokenizer is loaded when it is first needed.</summary>
    /// <param name="modelPath">The model's folder.</param>
    /// <param name="config">The model's configuration.</param>
    /// <param name="bos">When a start token is put in front.</param>
    public PromptEncoder(string modelPath, ModelConfig config, BosMode bos)
        : this(modelPath, config, bos, new Lazy<Tokenizer>(() => Tokenizer.Load(modelPath)), File.Exists(Path.Combine(modelPath, "tokenizer.json")))
    {
    }

    private PromptEncoder(string modelPath, ModelConfig config, BosMode bos, Lazy<Tokenizer> tokenizer, bool hasTokenizer)
    {
        _modelPath = modelPath;
        _config = config;
        _bos = bos;
        _tokenizer = tokenizer;
        HasTokenizer = hasTokenizer;
    }

    /// <summary>Whether the model's folder has a tokenizer; without one only token ids can be scored.</summary>
    public bool HasTokenizer { get; }

    /// <summary>The model's tokenizer.</summary>
    /// <exception cref="TokenizationException">There is none, or it cannot be read.</exception>
    public Tokenizer Tokenizer => _tokenizer.Value;

    /// <summary>The same tokenizer under another rule for start tokens.</summary>
    public PromptEncoder With(BosMode bos) => new(_modelPath, _config, bos, _tokenizer, HasTokenizer);

    /// <summary>The start token that windows need: the tokenizer's own, else what the configuration names.</summary>
    /// <param name="endToo">Whether the end token serves where there is no start token.</param>
    public int? Start(bool endToo) => HasTokenizer
        ? Tokenizer.TemplatePrefix is [var first, ..] ? first : Tokenizer.BosId ?? (endToo ? Tokenizer.EosId : null)
        : _config.OptionalInt("bos_token_id");

    /// <summary>A text for windows; a start token with which it begins is not doubled.</summary>
    /// <param name="text">The text.</param>
    /// <param name="preset">The rule of the windows: only <see cref="RollingPreset.Full"/> can do without a start token.</param>
    public RollingText Rolling(string text, RollingPreset preset)
    {
        var encoding = Tokenizer.Encode(text, addSpecialTokens: false);
        int[] edges = [.. encoding.ByteSpans.Select(span => span.Start), System.Text.Encoding.UTF8.GetByteCount(text)];
        return Rolling(encoding.Ids, preset, edges);
    }

    /// <summary>A text that is given as tokens, for windows; a start token with which it begins is not doubled.</summary>
    /// <inheritdoc cref="Rolling(string, RollingPreset)"/>
    public RollingText Rolling(int[] ids, RollingPreset preset) => Rolling(ids, preset, null);

    /// <summary>The tokens that end a generated text.</summary>
    public IReadOnlySet<int> EndTokens() => Scoring.EndTokens.Of(_modelPath, _config, HasTokenizer ? Tokenizer.EosId : null);

    /// <summary>The texts of tokens, each decoded by itself; null without a tokenizer.</summary>
    public string[]? Texts(IEnumerable<int> ids) => HasTokenizer ? [.. ids.Select(id => Tokenizer.Decode([id], skipSpecial: false))] : null;

    /// <summary>The text of generated tokens without special ones; null without a tokenizer.</summary>
    public string? Decode(IReadOnlyList<int> ids) => HasTokenizer ? Tokenizer.Decode([.. ids], skipSpecial: true) : null;

    /// <summary>A text's tokens, without a start token.</summary>
    public int[] Text(string text) => Tokenizer.Encode(text, addSpecialTokens: false).Ids;

    /// <summary>A prompt's tokens, with its start token.</summary>
    public int[] Prompt(string prompt)
    {
        var plain = Text(prompt);
        return [.. PrefixFor(plain).Prefix, .. plain];
    }

    /// <summary>The tokens of a prompt and its completion.</summary>
    /// <exception cref="ScoringException">The completion has no tokens, or the prompt has none and no start token is put in front.</exception>
    public CompletionTokens Completion(string prompt, string completion, BoundaryMode boundary)
    {
        switch (boundary)
        {
            case BoundaryMode.Separate:
                return Prefixed(Text(prompt), Text(completion), BoundaryKind.Clean, 0);
            case BoundaryMode.LmEval:
                var whole = Text(prompt + completion);
                var count = Math.Min(Text(WithoutSpaceAtEnd(prompt)).Length, whole.Length);
                return Prefixed(whole[..count], whole[count..], BoundaryKind.Clean, 0);
            default:
                // Special tokens that a template puts after a text are no part of a completion.
                var found = PromptBoundary.Find(Tokenizer, prompt, completion, addSpecialTokens: false);
                var first = found.FirstCompletionToken ?? found.Encoding.Ids.Length;
                return Prefixed(found.Encoding.Ids[..first], found.Encoding.Ids[first..], found.Kind, found.MergedPromptBytes);
        }
    }

    /// <summary>A prompt and a completion that are tokens already; they are taken as they are.</summary>
    /// <exception cref="ScoringException">One of them is empty.</exception>
    public static CompletionTokens Completion(IReadOnlyList<int> promptIds, IReadOnlyList<int> completionIds) =>
        Join(promptIds, completionIds, BoundaryKind.Clean, 0, BosAction.None);

    // lm-eval takes white space as Python does, which counts the four separators of ASCII, too.
    private static string WithoutSpaceAtEnd(string text)
    {
        var end = text.Length;
        while (end > 0 && (char.IsWhiteSpace(text[end - 1]) || text[end - 1] is >= '\u001C' and <= '\u001F'))
        {
            end--;
        }

        return text[..end];
    }

    private static CompletionTokens Join(
        IReadOnlyList<int> prompt, IReadOnlyList<int> completion, BoundaryKind boundary, int merged, BosAction bos)
    {
        if (completion.Count == 0)
        {
            throw new ScoringException("A completion without tokens cannot be scored.");
        }

        return prompt.Count == 0
            ? throw new ScoringException("An empty prompt needs a start token in front, else the first token cannot be scored.")
            {
                Remedy = "Ask for a start token always, or give a prompt.",
            }
            : new CompletionTokens(new TokenSequence([.. prompt, .. completion], prompt.Count), boundary, merged, bos);
    }

    private CompletionTokens Prefixed(int[] prompt, int[] completion, BoundaryKind boundary, int merged)
    {
        var (prefix, done) = PrefixFor(prompt);
        if (prompt.Length == 0 && prefix.Length > 0 && completion.AsSpan().StartsWith(prefix))
        {
            throw new ScoringException("The completion begins with the start token, which nothing before it predicts.")
            {
                Remedy = "Put the start token into the prompt.",
            };
        }

        return Join([.. prefix, .. prompt], completion, boundary, merged, done);
    }

    // Never doubled: a text that begins with the start token keeps its own.
    private (int[] Prefix, BosAction Done) PrefixFor(int[] text)
    {
        int[] own = _bos switch
        {
            BosMode.Never => [],
            BosMode.Always => Start(endToo: false) is { } start ? [start] : throw new ScoringException("The model names no start token."),
            _ => [.. Tokenizer.TemplatePrefix],
        };
        return own.Length == 0 ? ([], BosAction.None) : text.AsSpan().StartsWith(own) ? ([], BosAction.Present) : (own, BosAction.Added);
    }

    private RollingText Rolling(int[] ids, RollingPreset preset, int[]? edges)
    {
        var start = preset == RollingPreset.Full ? TextStart() : Start(endToo: preset == RollingPreset.LmEval);
        return start is { } token && ids.Length > 0 && ids[0] == token
            ? new RollingText(ids[1..], start, BosAction.Present, edges?[1..])
            : new RollingText(ids, start, start is null ? BosAction.None : BosAction.Added, edges);
    }

    /// <summary>The start token of a whole text, or null when none is put in front.</summary>
    private int? TextStart() => _bos switch
    {
        BosMode.Never => null,
        BosMode.Always => Start(endToo: false),
        _ => HasTokenizer && Tokenizer.TemplatePrefix is [var first, ..] ? first : null,
    };
}
