using System.Globalization;
using System.Text.Json;

namespace Sway.Tokenization.Loading;

/// <summary>The files beside tokenizer.json that decide what AutoTokenizer of transformers 5 makes of it.</summary>
internal sealed class TokenizerFolder
{
    private static readonly string[] s_namedTokens =
        ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    private readonly JsonElement _config;
    private readonly JsonElement _modelConfig;
    private readonly JsonElement _specialTokensMap;
    private readonly JsonElement _addedTokens;

    private TokenizerFolder(string path)
    {
        _config = ReadOptional(path, "tokenizer_config.json");
        _modelConfig = ReadOptional(path, "config.json");
        var declared = TryGet(_config, "added_tokens_decoder", out _);
        _specialTokensMap = declared ? default : ReadOptional(path, "special_tokens_map.json");
        _addedTokens = declared ? default : ReadOptional(path, "added_tokens.json");
    }

    public static TokenizerFolder Open(string path) => new(path);

    public string? DeclaredClass => Text(_config, "tokenizer_class") ?? Text(_modelConfig, "tokenizer_class");

    public string? ModelType => Text(_modelConfig, "model_type");

    public bool SplitSpecialTokens => Flag("split_special_tokens") ?? false;

    public bool CleanUpSpaces => Flag("clean_up_tokenization_spaces") ?? false;

    public bool HasAddedTokensDecoder => TryGet(_config, "added_tokens_decoder", out _);

    public bool? Flag(string name) =>
        TryGet(_config, name, out var value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : null;

    /// <summary>Whether the configuration says anything about a named token, null included.</summary>
    public bool Names(string name) =>
        (_config.ValueKind == JsonValueKind.Object && _config.TryGetProperty(name, out _)) || TryGet(_specialTokensMap, name, out _);

    public string? NamedToken(string name) => TokenAt(name)?.Content;

    /// <summary>The tokens of added_tokens_decoder, or of the older added_tokens.json, in the order of their declared ids.</summary>
    public IEnumerable<(int Id, AddedToken Token)> DeclaredTokens()
    {
        if (TryGet(_config, "added_tokens_decoder", out var decoder) && decoder.ValueKind == JsonValueKind.Object)
        {
            return decoder.EnumerateObject()
                .Select(p => (Id: int.TryParse(p.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                    ? id : throw JsonFields.Wrong("added_tokens_decoder", "a map of ids"), Token: ReadToken(p.Value, special: false)))
                .OrderBy(t => t.Id).ToList();
        }

        if (_addedTokens.ValueKind != JsonValueKind.Object)
        {
            return [];
        }

        return _addedTokens.EnumerateObject()
            .Select(p => (Id: JsonFields.ToInt(p.Value, p.Name), Token: new AddedToken(p.Name) { Normalized = true }))
            .OrderBy(t => t.Id).ToList();
    }

    /// <summary>The special tokens that the configuration names, bos first, then the lists of further ones.</summary>
    public IEnumerable<AddedToken> SpecialTokens(IReadOnlyDictionary<string, string?> defaults)
    {
        foreach (var name in s_namedTokens)
        {
            var token = TokenAt(name);
            if (token is null && !Names(name) && defaults.TryGetValue(name, out var fallback) && fallback is not null)
            {
                token = Plain(fallback);
            }

            if (token is not null)
            {
                yield return token with { Special = true };
            }
        }

        foreach (var list in new[] { "additional_special_tokens", "extra_special_tokens" })
        {
            if (!TryGet(_config, list, out var items) && !TryGet(_specialTokensMap, list, out items))
            {
                continue;
            }

            var values = items.ValueKind == JsonValueKind.Array ? items.EnumerateArray().ToList()
                : items.ValueKind == JsonValueKind.Object ? items.EnumerateObject().Select(p => p.Value).ToList() : [];
            foreach (var item in values)
            {
                yield return ReadToken(item, special: true) with { Special = true };
            }
        }
    }

    private AddedToken? TokenAt(string name) =>
        TryGet(_config, name, out var value) || TryGet(_specialTokensMap, name, out value) ? ReadToken(value, special: true) : null;

    private static AddedToken Plain(string content) => new(content) { Special = true };

    private static AddedToken ReadToken(JsonElement value, bool special)
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            return Plain(value.GetString()!);
        }

        var isSpecial = value.OptionalBool("special") ?? special;
        return new AddedToken(value.RequireString("content"))
        {
            SingleWord = value.OptionalBool("single_word") ?? false,
            LeftStrip = value.OptionalBool("lstrip") ?? false,
            RightStrip = value.OptionalBool("rstrip") ?? false,
            Normalized = value.OptionalBool("normalized") ?? !isSpecial,
            Special = isSpecial,
        };
    }

    private static string? Text(JsonElement element, string name) =>
        TryGet(element, name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static bool TryGet(JsonElement element, string name, out JsonElement value)
    {
        value = default;
        return element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null;
    }

    private static JsonElement ReadOptional(string folder, string name)
    {
        var path = Path.Combine(folder, name);
        if (!File.Exists(path))
        {
            return default;
        }

        try
        {
            var bytes = File.ReadAllBytes(path);
            return JsonDocument.Parse(bytes.AsMemory(bytes.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0)).RootElement;
        }
        catch (Exception exception) when (exception is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new TokenizationException($"'{name}' cannot be read: {exception.Message}", exception)
            {
                Path = path,
                Remedy = "Restore the file from the model's repository, or remove it to use tokenizer.json alone.",
            };
        }
    }
}
