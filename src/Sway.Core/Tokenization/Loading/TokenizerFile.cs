using System.Text.Json;

namespace Sway.Tokenization.Loading;

/// <summary>The sections of a tokenizer.json; truncation and padding are read over, since scoring never applies them.</summary>
internal sealed class TokenizerFile
{
    private const int MaximumDepth = 128;

    public ModelSection Model { get; private set; } = new();

    public List<AddedToken> AddedTokens { get; } = [];

    /// <summary>The ids that the file states for <see cref="AddedTokens"/>; only their order matters, and that only to rebuilt classes.</summary>
    public List<int> AddedTokenIds { get; } = [];

    public JsonElement? Normalizer { get; set; }

    public JsonElement? PreTokenizer { get; set; }

    public JsonElement? PostProcessor { get; set; }

    public JsonElement? Decoder { get; set; }

    /// <summary>True when the text "ByteLevel" occurs anywhere, which is what transformers looks for.</summary>
    public bool MentionsByteLevel { get; private init; }

    public static TokenizerFile Read(byte[] bytes)
    {
        if (bytes.AsSpan().StartsWith("\uFEFF"u8))
        {
            throw new TokenizationException("The file starts with a byte order mark.");
        }

        if (!System.Text.Unicode.Utf8.IsValid(bytes))
        {
            throw new TokenizationException("The file is not UTF-8.");
        }

        var file = new TokenizerFile { MentionsByteLevel = bytes.AsSpan().IndexOf("\"ByteLevel\""u8) >= 0 };
        var reader = new Utf8JsonReader(bytes, new JsonReaderOptions { MaxDepth = MaximumDepth });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new TokenizationException("The file is not a JSON object.");
        }

        var hasModel = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString();
            reader.Read();
            hasModel |= string.Equals(name, "model", StringComparison.Ordinal);
            file.ReadSection(name, ref reader);
        }

        if (reader.Read() || !hasModel)
        {
            throw new TokenizationException("The file has no model, or something follows its end.");
        }

        return file;
    }

    private void ReadSection(string? name, ref Utf8JsonReader reader)
    {
        switch (name)
        {
            case "version":
                if (reader.TokenType != JsonTokenType.String || !reader.ValueTextEquals("1.0"u8))
                {
                    throw new TokenizationException("The tokenizer version is not 1.0.");
                }

                break;
            case "model":
                Model = ModelSection.Read(ref reader);
                break;
            case "added_tokens":
                ReadAddedTokens(JsonDocument.ParseValue(ref reader).RootElement);
                break;
            case "normalizer":
                Normalizer = JsonDocument.ParseValue(ref reader).RootElement;
                break;
            case "pre_tokenizer":
                PreTokenizer = JsonDocument.ParseValue(ref reader).RootElement;
                break;
            case "post_processor":
                PostProcessor = JsonDocument.ParseValue(ref reader).RootElement;
                break;
            case "decoder":
                Decoder = JsonDocument.ParseValue(ref reader).RootElement;
                break;
            case "truncation" or "padding":
                reader.Skip();
                break;
            default:
                throw new TokenizationException($"The file has the unknown section '{name}'.");
        }
    }

    private void ReadAddedTokens(JsonElement section)
    {
        if (section.ValueKind != JsonValueKind.Array)
        {
            throw JsonFields.Wrong("added_tokens", "a list");
        }

        foreach (var item in section.EnumerateArray())
        {
            AddedTokenIds.Add(item.RequireInt("id"));
            AddedTokens.Add(ReadAddedToken(item));
        }
    }

    /// <summary>Reads an added token with all its flags.</summary>
    public static AddedToken ReadAddedToken(JsonElement item) => new(item.RequireString("content"))
    {
        SingleWord = item.RequireBool("single_word"),
        LeftStrip = item.RequireBool("lstrip"),
        RightStrip = item.RequireBool("rstrip"),
        Normalized = item.RequireBool("normalized"),
        Special = item.RequireBool("special"),
    };
}
