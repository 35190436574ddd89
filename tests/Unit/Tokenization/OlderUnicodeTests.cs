using System.Text.Json;
using Sway.Tokenization;

namespace Sway.Unit.Tokenization;

/// <summary>
/// The reference library mixes Unicode versions: its regular expressions know Unicode 16, its normalizers 9, its punctuation 8.
/// The expected values are those of tokenizers 0.23.
/// </summary>
public sealed class OlderUnicodeTests
{
    private const string Word = """{"type":"WordLevel","vocab":{"?":0},"unk_token":"?"}""";

    [Theory]

    // Lone \w and \b ask a Latin-1 table with superscripts and fractions; brackets do not.
    [InlineData("""\\w""", "a²¼º-", "7,8")]
    [InlineData("""[\\w]""", "a²¼º-", "1,5 7,8")]
    [InlineData("""\\p{Word}""", "²½", "")]
    [InlineData("""\\b.""", "+²+", "0,1")]

    // The property is category P; the bracket has the symbols, too.
    [InlineData("""\\p{Punct}""", "$.<!`", "0,1 2,3 4,5")]
    [InlineData("""[[:punct:]]""", "$.<!`", "")]

    // Contributory properties.
    [InlineData("""\\p{Lower}""", "aªⅰA", "6,7")]
    [InlineData("""\\p{Upper}""", "AⅠⒶa", "7,8")]
    [InlineData("""\\p{Alpha}""", "a\u0345\u0301", "3,5")]
    [InlineData("""[[:alnum:]]""", "1\u05B0\u034F", "3,5")]

    // Scripts of Unicode 15 and 16.
    [InlineData("""\\p{Cyrillic}""", "ж\u1C89-", "5,6")]
    [InlineData("""\\p{Kawi}""", "\U00011F04-", "4,5")]
    public void ARegularExpressionMatchesWhatTheLibraryMatches(string regex, string text, string left) =>
        Spans($$$"""{"type":"Split","pattern":{"Regex":"{{{regex}}}"},"behavior":"Removed","invert":false}""", text).ShouldBe(left);

    [Theory]

    // U+2E43 is punctuation since Unicode 9, U+166D was until 11, and all ASCII symbols count.
    [InlineData("""{"type":"Punctuation","behavior":"Removed"}""", "a\u2E43\u166D$b", "0,4 8,9")]
    [InlineData("""{"type":"BertPreTokenizer"}""", "a\u2E43b", "0,5")]

    // U+0589 was common in Unicode 9; U+0560 had no script, and joins any.
    [InlineData("""{"type":"UnicodeScripts"}""", "աա\u0589\u0560ա", "0,4 4,8 8,10")]
    public void APreTokenizerSplitsWhereTheLibrarySplits(string preTokenizer, string text, string spans) => Spans(preTokenizer, text).ShouldBe(spans);

    [Theory]
    [InlineData("""{"type":"NFKC"}""", "\u32FF\u337E", "\u32FF明治")]
    [InlineData("""{"type":"NFD"}""", "\U00011938", "\U00011938")]
    [InlineData("""{"type":"NFC"}""", "a\u1DF9\u08E8", "a\u1DF9\u08E8")]
    [InlineData("""{"type":"StripAccents"}""", "a\u07FD\u0301", "a\u07FD")]
    [InlineData("""{"type":"BertNormalizer","clean_text":false,"handle_chinese_chars":false,"strip_accents":true,"lowercase":false}""", "\u0D00\u0D01", "\u0D00")]
    [InlineData("""{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":false,"strip_accents":false,"lowercase":false}""", "\u08E2\u00ADx", "\u08E2x")]
    public void ANormalizerKnowsNoNewerCharacters(string normalizer, string text, string normalized)
    {
        var vocabulary = string.Join(',', Enumerable.Range(0, 256).Select(b => $"\"<0x{b:X2}>\":{b}"));
        var tokenizer = Load($$$"""
            "normalizer":{{{normalizer}}},"pre_tokenizer":null,"post_processor":null,"decoder":null,
            "model":{"type":"BPE","unk_token":null,"byte_fallback":true,"vocab":{{{{vocabulary}}}},"merges":[]}
            """);
        var bytes = tokenizer.Encode(text, false).Ids.Select(id => (byte)id).ToArray();
        System.Text.Encoding.UTF8.GetString(bytes).ShouldBe(normalized);
    }

    [Fact]
    public void AnAddedTokenWhoseSpaceIsTakenIsDropped()
    {
        // Both sides are stripped: the first takes all four line ends, and nothing is left of the second.
        var tokenizer = Load($$"""
            "normalizer":null,"pre_tokenizer":null,"post_processor":null,"decoder":null,"model":{{Word}}
            """, """{"id":1,"content":"\n\n","single_word":false,"lstrip":true,"rstrip":true,"normalized":false,"special":false}""");
        tokenizer.Encode("a\n\n\n\n", false).Ids.ShouldBe([0, 1]);
    }

    [Fact]
    public void AModelsUnknownTokenIsNotTrimmedByTheTextItCovers()
    {
        // The unknown token is an added token as well; cut out of the text it would lose the space.
        var tokenizer = Load("""
            "normalizer":null,"pre_tokenizer":null,"decoder":null,
            "post_processor":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
            "model":{"type":"WordLevel","vocab":{"?":0},"unk_token":"?"}
            """, """{"id":0,"content":"?","single_word":false,"lstrip":true,"rstrip":false,"normalized":false,"special":true}""");
        tokenizer.Encode(" a", false).ByteSpans.ShouldBe([(0, 2)]);
        tokenizer.Encode(" ?", false).ByteSpans.ShouldBe([(1, 2)]);
    }

    [Fact]
    public void AnEmptySuffixIsReplacedAroundEveryCharacter()
    {
        var tokenizer = Load("""
            "normalizer":null,"pre_tokenizer":null,"post_processor":null,"decoder":{"type":"BPEDecoder","suffix":""},
            "model":{"type":"WordLevel","vocab":{"?":0,"ab":1,"cd":2},"unk_token":"?"}
            """);
        tokenizer.Decode([1, 2], false).ShouldBe(" a b cd");
    }

    [Fact]
    public void ASuffixWithByteFallbackStaysInsideTheText()
    {
        var vocabulary = string.Join(',', Enumerable.Range(0, 256).Select(b => $"\"<0x{b:X2}>\":{b}"));
        var tokenizer = Load($$$"""
            "normalizer":null,"pre_tokenizer":null,"post_processor":null,"decoder":null,
            "model":{"type":"BPE","unk_token":null,"byte_fallback":true,"end_of_word_suffix":"</w>","vocab":{{{{vocabulary}}}},"merges":[]}
            """);
        var encoding = tokenizer.Encode("ab", false);
        encoding.Ids.ShouldBe("ab</w>"u8.ToArray().Select(b => (int)b));
        encoding.ByteSpans.ShouldAllBe(span => span.Start < span.End && span.End <= 2);
    }

    [Fact]
    public void TwoTemplatesAreRefused()
    {
        const string Around = """{"type":"BertProcessing","sep":["?",0],"cls":["?",0]}""";
        var refusal = Should.Throw<TokenizationException>(() => Load($$"""
            "normalizer":null,"pre_tokenizer":null,"decoder":null,"model":{{Word}},"post_processor":{"type":"Sequence","processors":[{{Around}},{{Around}}]}
            """));
        refusal.Message.ShouldContain("more than once");
    }

    private static string Spans(string preTokenizer, string text)
    {
        var tokenizer = Load($$"""
            "normalizer":null,"pre_tokenizer":{{preTokenizer}},"post_processor":null,"decoder":null,"model":{{Word}}
            """);
        return string.Join(' ', tokenizer.Encode(text, false).ByteSpans.Select(span => $"{span.Start},{span.End}"));
    }

    private static Tokenizer Load(string sections, string added = "")
    {
        var folder = Directory.CreateTempSubdirectory("sway-unicode");
        try
        {
            var json = $$"""{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{{added}}],{{sections}}}""";
            using var valid = JsonDocument.Parse(json);
            File.WriteAllText(Path.Combine(folder.FullName, "tokenizer.json"), json);
            return Tokenizer.Load(folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
