using System.Text.Json;
using Sway.Tokenization.Models;

namespace Sway.Tokenization.Loading;

/// <summary>
/// The model section, read token by token: its vocabulary and merges are most of the file, and making objects of them would
/// cost more than all the rest of loading.
/// </summary>
internal sealed class ModelSection
{
    private readonly Dictionary<string, JsonElement> _fields = new(StringComparer.Ordinal);
    private bool _isList;
    private List<double>? _scores;
    private MergeTable? _merges;
    private int _mergesPrefix;

    public Vocabulary? Vocabulary { get; private set; }

    public string? Type => Text("type");

    public bool IsBpe => Type is "BPE" || (Type is null && _merges is not null);

    /// <summary>Reads the section at the reader's object start.</summary>
    public static ModelSection Read(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw JsonFields.Wrong("model", "an object");
        }

        var section = new ModelSection();
        Utf8JsonReader merges = default;
        var hasMerges = false;
        var mergesDone = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            switch (name)
            {
                case "vocab" when reader.TokenType == JsonTokenType.StartObject:
                    section.Vocabulary = VocabularyReader.ReadObject(ref reader);
                    mergesDone = false;
                    break;
                case "vocab" when reader.TokenType == JsonTokenType.StartArray:
                    section._isList = true;
                    (section.Vocabulary, section._scores) = VocabularyReader.ReadList(ref reader);
                    break;
                case "merges" when reader.TokenType == JsonTokenType.StartArray:
                    merges = reader;
                    hasMerges = true;
                    mergesDone = section.Vocabulary is not null && section.TryReadMerges(ref reader);
                    if (!mergesDone)
                    {
                        reader.Skip();
                    }

                    break;
                default:
                    section._fields[name] = JsonDocument.ParseValue(ref reader).RootElement;
                    break;
            }
        }

        if (hasMerges && section.Vocabulary is not null && section.IsMergeModel
            && (!mergesDone || section._mergesPrefix != section.PrefixLength))
        {
            section.TryReadMerges(ref merges);
        }

        section.Vocabulary?.Seal();
        return section;
    }

    private bool IsMergeModel => Type is null or "BPE";

    private int PrefixLength => System.Text.Encoding.UTF8.GetByteCount(Text("continuing_subword_prefix") ?? "");

    /// <summary>Replaces a setting, as a tokenizer class does that builds its own model around the file's vocabulary.</summary>
    public void Override(string name, string json) => _fields[name] = JsonFields.Parse(json);

    public bool? Bool(string name)
    {
        if (!_fields.TryGetValue(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw JsonFields.Wrong(name, "true or false");
    }

    public string? Text(string name)
    {
        if (!_fields.TryGetValue(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw JsonFields.Wrong(name, "a string");
    }

    public IModel Build()
    {
        if (Vocabulary is null)
        {
            throw new TokenizationException("The model has no vocabulary.");
        }

        var type = Type ?? (_merges is not null ? "BPE" : _isList ? "Unigram"
            : _fields.ContainsKey("max_input_chars_per_word") ? "WordPiece" : "WordLevel");
        return (type, _isList) switch
        {
            ("BPE", false) => new BpeModel(
                Vocabulary,
                _merges ?? throw new TokenizationException("The model has no merges."),
                new BpeOptions
                {
                    UnknownToken = Text("unk_token"),
                    ContinuingPrefix = Text("continuing_subword_prefix"),
                    EndOfWordSuffix = Text("end_of_word_suffix"),
                    FuseUnknown = Bool("fuse_unk") ?? false,
                    ByteFallback = Bool("byte_fallback") ?? false,
                    IgnoreMerges = Bool("ignore_merges") ?? false,
                }),
            ("WordPiece", false) => new WordPieceModel(
                Vocabulary, RequireText("unk_token"), RequireText("continuing_subword_prefix"), RequireInt("max_input_chars_per_word")),
            ("WordLevel", false) => new WordLevelModel(Vocabulary, RequireText("unk_token")),
            ("Unigram", true) => BuildUnigram(Vocabulary),
            ("BPE" or "WordPiece" or "WordLevel" or "Unigram", _) => throw JsonFields.Wrong("vocab", "of the form that " + type + " needs"),
            _ => throw new TokenizationException($"The model type '{type}' is not known."),
        };
    }

    private UnigramModel BuildUnigram(Vocabulary vocabulary)
    {
        var unknown = _fields.TryGetValue("unk_id", out var id) && id.ValueKind != JsonValueKind.Null ? JsonFields.ToInt(id, "unk_id") : -1;
        return unknown < _scores!.Count
            ? new UnigramModel(vocabulary, [.. _scores], unknown, Bool("byte_fallback") ?? false)
            : throw new TokenizationException("The unk_id is larger than the vocabulary.");
    }

    private string RequireText(string name) => Text(name) ?? throw new TokenizationException($"The field '{name}' is missing.");

    private int RequireInt(string name) => _fields.TryGetValue(name, out var value)
        ? JsonFields.ToInt(value, name) : throw new TokenizationException($"The field '{name}' is missing.");

    private bool TryReadMerges(ref Utf8JsonReader reader)
    {
        if (!IsMergeModel || _isList)
        {
            return false;
        }

        _mergesPrefix = PrefixLength;
        _merges = VocabularyReader.ReadMerges(ref reader, Vocabulary!, _mergesPrefix);
        return true;
    }
}
