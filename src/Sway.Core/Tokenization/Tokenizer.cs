using System.Collections.Concurrent;
using System.Text.Json;
using Sway.IO;
using Sway.Tokenization.Decoding;
using Sway.Tokenization.Loading;
using Sway.Tokenization.Models;
using Sway.Tokenization.Patterns;
using Sway.Tokenization.PostProcessing;
using Sway.Tokenization.PreTokenization;

namespace Sway.Tokenization;

/// <summary>
/// A Hugging Face tokenizer: gives the ids, spans and texts that <c>AutoTokenizer</c> of transformers 5 gives for the same
/// folder. Safe for use by many threads at once.
/// </summary>
public sealed class Tokenizer
{
    private readonly IModel _model;
    private readonly AddedVocabulary _added;
    private readonly IPreTokenizer? _preTokenizer;
    private readonly IDecoder? _decoder;
    private readonly PostProcessor _postProcessor;
    private readonly bool _cleanUpSpaces;
    private readonly ConcurrentBag<PipelineState> _states = [];

    private Tokenizer(TokenizerFile file, TokenizerFolder? folder, string? className)
    {
        _model = file.Model.Build();
        _added = new AddedVocabulary(
            _model.Vocabulary, ComponentReader.ReadNormalizer(file.Normalizer), folder?.SplitSpecialTokens ?? false);
        AddTokens(file, folder, className);
        _added.Seal();
        _preTokenizer = ComponentReader.ReadPreTokenizer(file.PreTokenizer);
        _decoder = ComponentReader.ReadDecoder(file.Decoder);
        _postProcessor = new PostProcessor(
            ComponentReader.ReadPostProcessor(file.PostProcessor), _model);
        _cleanUpSpaces = !_model.IsBpe && (folder?.CleanUpSpaces ?? false);
        (TemplatePrefix, TemplateSuffix) = _postProcessor.Template();
        BosId = FindNamed(folder, className, "bos_token");
        EosId = FindNamed(folder, className, "eos_token");
    }

    /// <summary>The ids that the tokenizer puts before a text when special tokens are asked for (often the start token).</summary>
    public IReadOnlyList<int> TemplatePrefix { get; }

    /// <summary>The ids that the tokenizer puts after a text when special tokens are asked for.</summary>
    public IReadOnlyList<int> TemplateSuffix { get; }

    /// <summary>The id of the start token that the folder names, or null.</summary>
    public int? BosId { get; }

    /// <summary>The id of the end token that the folder names, or null.</summary>
    public int? EosId { get; }

    /// <summary>The number of different tokens, added ones included.</summary>
    public int VocabularySize => _model.Vocabulary.Count + _added.Count;

    /// <summary>Loads the tokenizer of a model folder: its tokenizer.json and, where present, the configuration beside it.</summary>
    /// <param name="modelFolder">A folder with a tokenizer.json, or the path of such a file (then it is read alone).</param>
    /// <exception cref="TokenizationException">A file is missing, malformed, or not supported.</exception>
    public static Tokenizer Load(string modelFolder)
    {
        var isFile = File.Exists(modelFolder);
        var path = isFile ? modelFolder : System.IO.Path.Combine(modelFolder, "tokenizer.json");
        if (!File.Exists(path))
        {
            throw new TokenizationException("The folder has no tokenizer.json.")
            {
                Path = modelFolder,
                Remedy = "Give a model folder with a tokenizer.json; older formats can be converted with transformers' save_pretrained.",
            };
        }

        try
        {
            var file = TokenizerFile.Read(File.ReadAllBytes(path));
            var folder = isFile ? null : TokenizerFolder.Open(modelFolder);
            var className = folder is null ? null : TokenizerClasses.Resolve(folder, file);
            if (className is not null)
            {
                TokenizerClasses.Rebuild(className, folder!, file);
            }

            return new Tokenizer(file, folder, className);
        }
        catch (TokenizationException exception) when (exception.Path is null)
        {
            throw Refuse(path, exception.Message, exception);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or RegexSyntaxException
            or FormatException or IOException or UnauthorizedAccessException or OverflowException)
        {
            throw Refuse(path, "The tokenizer cannot be read: " + (exception is JsonException json ? JsonFile.Describe(json) + "." : exception.Message), exception);
        }
    }

    /// <summary>Tokenizes a text.</summary>
    /// <param name="text">Any text; a lone surrogate counts as U+FFFD.</param>
    /// <param name="addSpecialTokens">Whether the tokenizer's template puts its tokens around the text.</param>
    /// <exception cref="TokenizationException">The text cannot be tokenized with this vocabulary.</exception>
    public Encoding Encode(string text, bool addSpecialTokens)
    {
        if (!_states.TryTake(out var state))
        {
            state = new PipelineState();
        }

        state.Start(text);
        _added.ExtractAndNormalize(state);
        _preTokenizer?.Apply(state);
        if (!_model.AcceptsByteLevel)
        {
            ByteLevelPreTokenizer.Materialize(state);
        }

        foreach (var piece in state.Pieces)
        {
            if (piece.IsToken)
            {
                state.Tokens.Add(piece.TokenId, piece.OriginStart, piece.OriginEnd, cutOut: true);
            }
            else if (piece.End > piece.Start)
            {
                _model.Tokenize(state, piece);
            }
        }

        var encoding = _postProcessor.Process(state, addSpecialTokens);
        _states.Add(state);
        return encoding;
    }

    /// <summary>Turns ids back into text; ids that are not in the vocabulary are left out.</summary>
    /// <param name="ids">The token ids.</param>
    /// <param name="skipSpecial">Whether special tokens are left out.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial)
    {
        var tokens = new List<string>(ids.Length);
        foreach (var id in ids)
        {
            if ((_added.NormalizedForm(id) ?? TokenText(id)) is { } token && !(skipSpecial && _added.IsSpecial(token)))
            {
                tokens.Add(token);
            }
        }

        var text = _decoder is null ? string.Join(' ', tokens) : string.Concat(_decoder.Decode(tokens));
        return _cleanUpSpaces ? WordPieceDecoder.Cleanup(text) : text;
    }

    /// <summary>The text of a token as the vocabulary writes it, or null for an id that is not in use.</summary>
    public string? TokenText(int id) => _added.Tokens.TryGetValue(id, out var added) ? added.Content
        : _model.Vocabulary.TryGetText(id, out var text) ? System.Text.Encoding.UTF8.GetString(text) : null;

    /// <summary>The id of a token given as the vocabulary writes it, or null.</summary>
    public int? TokenToId(string token) => _added.TryGetId(token, out var id)
        || _model.Vocabulary.TryGetId(System.Text.Encoding.UTF8.GetBytes(token), out id) ? id : null;

    /// <summary>Whether a token is one that <see cref="Decode"/> leaves out when special tokens are skipped.</summary>
    public bool IsSpecial(int id) => TokenText(id) is { } text && _added.IsSpecial(text);

    /// <summary>Starts a decoder that takes ids one by one and never gives half a character.</summary>
    public StreamDecoder CreateStreamDecoder(bool skipSpecial) => new(this, skipSpecial);

    private static TokenizationException Refuse(string path, string message, Exception exception) => new(message, exception)
    {
        Path = path,
        Remedy = "Check that the file is whole and is what the model's repository holds.",
    };

    private void AddTokens(TokenizerFile file, TokenizerFolder? folder, string? className)
    {
        var declared = folder?.DeclaredTokens().Select(t => t.Token).ToList() ?? [];
        if (className is null)
        {
            _added.Add(file.AddedTokens);
        }
        else if (!folder!.HasAddedTokensDecoder)
        {
            // A rebuilt tokenizer gets the file's tokens in the order of the ids they state.
            _added.Add(file.AddedTokens.Zip(file.AddedTokenIds).OrderBy(t => t.Second).Select(t => t.First));
        }

        if (folder is null)
        {
            return;
        }

        _added.Add(folder.HasAddedTokensDecoder ? declared : declared.Where(t => !_added.TryGetId(t.Content, out _)));
        foreach (var token in folder.SpecialTokens(TokenizerClasses.DefaultTokens(className)).Concat(TokenizerClasses.ExtraTokens(className)))
        {
            // A token that is there keeps its flags; only the missing ones are appended.
            if (!_added.TryGetId(token.Content, out _))
            {
                _added.Add([token]);
            }
        }
    }

    private int? FindNamed(TokenizerFolder? folder, string? className, string name)
    {
        var text = folder?.NamedToken(name)
            ?? (folder is null || folder.Names(name) ? null : TokenizerClasses.DefaultTokens(className).GetValueOrDefault(name));
        return text is null ? null : TokenToId(text);
    }
}
