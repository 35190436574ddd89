using System.Text.Json;
using Sway.Tokenization.Decoding;
using Sway.Tokenization.Normalization;
using Sway.Tokenization.Patterns;
using Sway.Tokenization.PostProcessing;
using Sway.Tokenization.PreTokenization;

namespace Sway.Tokenization.Loading;

/// <summary>Builds normalizers, pre-tokenizers and decoders from their sections; an unknown type is refused.</summary>
internal static class ComponentReader
{
    public static INormalizer? ReadNormalizer(JsonElement? section)
    {
        if (JsonFields.IsNull(section))
        {
            return null;
        }

        var e = section!.Value;
        var type = e.RequireString("type");
        return type switch
        {
            "Sequence" => new NormalizerSequence([.. e.Items("normalizers").Select(i => ReadNormalizer(i) ?? throw Unknown("normalizer", "null"))]),
            "NFC" => new UnicodeNormalizer(true, false),
            "NFD" => new UnicodeNormalizer(false, false),
            "NFKC" => new UnicodeNormalizer(true, true),
            "NFKD" => new UnicodeNormalizer(false, true),
            "Lowercase" => new LowercaseNormalizer(),
            "StripAccents" => new StripAccentsNormalizer(),
            "Nmt" => new NmtNormalizer(),
            "ByteLevel" => new ByteLevelNormalizer(),
            "Strip" => new StripNormalizer(e.RequireBool("strip_left"), e.RequireBool("strip_right")),
            "Prepend" => new PrependNormalizer(e.RequireString("prepend")),
            "Replace" => new ReplaceNormalizer(ReadPattern(e), e.RequireString("content")),
            "Precompiled" => new PrecompiledNormalizer(ReadBase64(e.RequireString("precompiled_charsmap"))),
            "BertNormalizer" => new BertNormalizer(
                e.RequireBool("clean_text"), e.RequireBool("handle_chinese_chars"),
                e.OptionalBool("strip_accents") ?? e.RequireBool("lowercase"), e.RequireBool("lowercase")),
            _ => throw Unknown("normalizer", type),
        };
    }

    public static IPreTokenizer? ReadPreTokenizer(JsonElement? section)
    {
        if (JsonFields.IsNull(section))
        {
            return null;
        }

        var e = section!.Value;
        var type = e.RequireString("type");
        return type switch
        {
            "Sequence" => new PreTokenizerSequence(
                [.. e.Items("pretokenizers").Select(i => ReadPreTokenizer(i) ?? throw Unknown("pre_tokenizer", "null"))]),
            "ByteLevel" => ReadByteLevel(e),
            "Metaspace" => new MetaspacePreTokenizer(
                JsonFields.ToCodePoint(e, "replacement"), ReadPrependScheme(e), e.OptionalBool("split") ?? true),
            "Split" => new SplitPreTokenizer(ReadPattern(e), ReadBehavior(e.RequireString("behavior")), e.RequireBool("invert")),
            "Digits" => new SplitPreTokenizer(
                new CodePointPattern(Unicode.CodePoints.IsNumeric),
                e.RequireBool("individual_digits") ? SplitBehavior.Isolated : SplitBehavior.Contiguous),
            "Punctuation" => new SplitPreTokenizer(
                new CodePointPattern(IsPunctuation), ReadBehavior(e.OptionalString("behavior") ?? "Isolated")),
            "CharDelimiterSplit" => DelimiterSplit(JsonFields.ToCodePoint(e, "delimiter")),
            "WhitespaceSplit" => new SplitPreTokenizer(new CodePointPattern(Unicode.CodePoints.IsWhiteSpace), SplitBehavior.Removed),
            "Whitespace" => new SplitPreTokenizer(new RunPattern(WordClass), SplitBehavior.Removed, invert: true),
            "BertPreTokenizer" => new PreTokenizerSequence(
            [
                new SplitPreTokenizer(new CodePointPattern(Unicode.CodePoints.IsWhiteSpace), SplitBehavior.Removed),
                new SplitPreTokenizer(new CodePointPattern(IsPunctuation), SplitBehavior.Isolated),
            ]),
            "UnicodeScripts" => new UnicodeScriptsPreTokenizer(),
            "FixedLength" => ReadFixedLength(e),
            _ => throw Unknown("pre_tokenizer", type),
        };
    }

    public static IDecoder? ReadDecoder(JsonElement? section)
    {
        if (JsonFields.IsNull(section))
        {
            return null;
        }

        var e = section!.Value;
        var type = e.RequireString("type");
        return type switch
        {
            "Sequence" => new DecoderSequence([.. e.Items("decoders").Select(i => ReadDecoder(i) ?? throw Unknown("decoder", "null"))]),
            "ByteLevel" => new ByteLevelDecoder(),
            "ByteFallback" => new ByteFallbackDecoder(),
            "Fuse" => new FuseDecoder(),
            "Strip" => new StripDecoder(
                char.ConvertFromUtf32(JsonFields.ToCodePoint(e, "content")), e.RequireInt("start"), e.RequireInt("stop")),
            "Replace" => new ReplaceDecoder(ReadPattern(e), e.RequireString("content")),
            "Metaspace" => new MetaspaceDecoder(
                char.ConvertFromUtf32(JsonFields.ToCodePoint(e, "replacement")), ReadPrependScheme(e) != PrependScheme.Never),
            "BPEDecoder" => new BpeDecoder(e.RequireString("suffix")),
            "WordPiece" => new WordPieceDecoder(e.RequireString("prefix"), e.RequireBool("cleanup")),
            "CTC" => new CtcDecoder(e.RequireString("pad_token"), e.RequireString("word_delimiter_token"), e.RequireBool("cleanup")),
            _ => throw Unknown("decoder", type),
        };
    }

    public static IReadOnlyList<PostProcessingStep> ReadPostProcessor(JsonElement? section)
    {
        if (JsonFields.IsNull(section))
        {
            return [];
        }

        var e = section!.Value;
        var type = e.RequireString("type");
        switch (type)
        {
            case "Sequence":
                return [.. e.Items("processors").SelectMany(i => ReadPostProcessor(i))];
            case "ByteLevel":
                _ = ReadByteLevel(e);
                return e.RequireBool("trim_offsets") ? [new TrimStep(e.RequireBool("add_prefix_space"))] : [];
            case "BertProcessing":
                return [Around(e)];
            case "RobertaProcessing":
                return e.RequireBool("trim_offsets")
                    ? [new TrimStep(e.RequireBool("add_prefix_space")), Around(e)]
                    : [Around(e)];
            case "TemplateProcessing":
                return [ReadTemplate(e)];
            default:
                throw Unknown("post_processor", type);
        }
    }

    private static TemplateStep Around(JsonElement e)
    {
        int Id(string name)
        {
            var pair = e.Items(name).ToArray();
            return pair.Length == 2 ? JsonFields.ToInt(pair[1], name) : throw JsonFields.Wrong(name, "a token and its id");
        }

        return new TemplateStep([[Id("cls")], [], [Id("sep")]]);
    }

    private static TemplateStep ReadTemplate(JsonElement e)
    {
        var tokens = e.Require("special_tokens");
        _ = e.Items("pair");
        var parts = new List<int[]>();
        foreach (var part in e.Items("single"))
        {
            if (part.ValueKind == JsonValueKind.Object && part.TryGetProperty("Sequence", out var sequence))
            {
                parts.Add(sequence.RequireString("id") is "A" ? [] : throw new TokenizationException("The template for one text names a second one."));
                continue;
            }

            var name = part.Require("SpecialToken").RequireString("id");
            if (tokens.ValueKind != JsonValueKind.Object || !tokens.TryGetProperty(name, out var token))
            {
                throw new TokenizationException($"The template uses '{name}', which its special_tokens do not define.");
            }

            var ids = token.Items("ids").Select(i => JsonFields.ToInt(i, "ids")).ToArray();
            if (ids.Length > 0)
            {
                parts.Add(ids);
            }
        }

        return new TemplateStep(parts);
    }

    private static ByteLevelPreTokenizer ReadByteLevel(JsonElement e)
    {
        _ = e.RequireBool("trim_offsets");
        return new ByteLevelPreTokenizer(e.RequireBool("add_prefix_space"), e.OptionalBool("use_regex") ?? true);
    }

    private static FixedLengthPreTokenizer ReadFixedLength(JsonElement e)
    {
        var length = e.TryGetProperty("length", out _) ? e.RequireInt("length") : 5;
        return length > 0 ? new FixedLengthPreTokenizer(length) : throw JsonFields.Wrong("length", "positive");
    }

    private static PrependScheme ReadPrependScheme(JsonElement e)
    {
        var scheme = e.OptionalString("prepend_scheme") switch
        {
            null or "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            _ => throw JsonFields.Wrong("prepend_scheme", "first, always or never"),
        };
        return e.OptionalBool("add_prefix_space") != false || scheme == PrependScheme.Never
            ? scheme
            : throw new TokenizationException("Metaspace: add_prefix_space does not match the prepend_scheme.");
    }

    private static SplitPreTokenizer DelimiterSplit(int delimiter) =>
        new(new CodePointPattern(c => c == delimiter), SplitBehavior.Removed);

    private static ITextPattern ReadPattern(JsonElement e)
    {
        var pattern = e.Require("pattern");
        try
        {
            return pattern.ValueKind == JsonValueKind.Object && pattern.TryGetProperty("String", out _)
                ? pattern.RequireString("String") is { Length: > 0 } literal ? new LiteralPattern(literal) : new RegexPattern("")
                : KnownPatterns.Create(pattern.RequireString("Regex"));
        }
        catch (RegexSyntaxException exception)
        {
            throw new TokenizationException("A regular expression of the tokenizer cannot be read: " + exception.Message + ".", exception);
        }
    }

    private static SplitBehavior ReadBehavior(string name) => name switch
    {
        "Removed" => SplitBehavior.Removed,
        "Isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        _ => throw JsonFields.Wrong("behavior", "a known behaviour"),
    };

    private static bool IsPunctuation(int codePoint) =>
        codePoint < 0x80 ? Unicode.CodePoints.IsAsciiPunctuation(codePoint) : Unicode.CodePointSets.Punctuation.Contains(codePoint);

    private static int WordClass(int codePoint) =>
        Unicode.CodePoints.IsWordOrJoiner(codePoint) ? 1 : Unicode.CodePoints.IsWhiteSpace(codePoint) ? 0 : 2;

    private static byte[] ReadBase64(string text)
    {
        try
        {
            return Convert.FromBase64String(text);
        }
        catch (FormatException exception)
        {
            throw new TokenizationException("The precompiled_charsmap is not base64.", exception);
        }
    }

    private static TokenizationException Unknown(string section, string type) =>
        new($"The {section} type '{type}' is not known.");
}
