using System.Diagnostics;
using System.Text;
using Sway.Tokenization;
using Sway.Tokenization.Patterns;

namespace Sway.Unit.Tokenization;

public sealed class TokenizerBehaviourTests
{
    private const string Noise = "{}[]\",:0-9aetn\\ \u0001(*+?|";

    private static readonly string[] s_alphabet =
    [
        "a", "B", "s", "S", "t", "re", "LL", "'", "'", " ", " ", "  ", "\n", "\r\n", "\t", "1", "23", "½", "é", "E\u0301", "ſ", "K", "ǅ", "ʰ",
        "中", "か", "ー", "한", "😀", "👩‍👩‍👧", "𝒜", "𝟘", "\u00A0", "\u2028", "\u3000", "\u200B", "/", "//", ".", "!?", "_", "-", "\u0301", "\u0903", "Ⅷ", "ﬁ", "\0", "ß", "İ",
    ];

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama3")]
    [InlineData("qwen2")]
    [InlineData("cl100k")]
    [InlineData("o200k")]
    [InlineData("tekken")]
    public void ScannersMatchTheGeneralEngine(string kind)
    {
        var pattern = kind == "gpt2"
            ? KnownPatterns.Gpt2
            : TokenizerFixtures.Read(kind, "tokenizer.json").GetProperty("pre_tokenizer").GetProperty("pretokenizers")[0]
                .GetProperty("pattern").GetProperty("Regex").GetString()!;
        var scanner = KnownPatterns.Known(pattern).ShouldNotBeNull();
        var general = new RegexPattern(pattern);
        var random = new Random(7);
        for (var i = 0; i < 4000; i++)
        {
            var text = System.Text.Encoding.UTF8.GetBytes(RandomText(random, random.Next(1, 30)));
            List<TextSpan> fast = [], slow = [];
            scanner.FindSpans(text, fast);
            general.FindSpans(text, slow);
            fast.ShouldBe(slow, System.Text.Encoding.UTF8.GetString(text));
        }
    }

    [Theory]
    [InlineData("llama3")]
    [InlineData("llama2")]
    [InlineData("gemma")]
    [InlineData("unigram-t5")]
    [InlineData("wordpiece")]
    [InlineData("deepseek3")]
    [InlineData("kimi")]
    public void ALongWordTakesLinearTime(string kind)
    {
        var tokenizer = Tokenizer.Load(TokenizerFixtures.Folder(kind));
        var watch = Stopwatch.StartNew();
        tokenizer.Encode(new string('a', 1_000_000), true).Ids.ShouldNotBeEmpty();
        tokenizer.Encode(new string(' ', 300_000), true).ShouldNotBeNull();
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(20));
    }

    [Theory]
    [InlineData("llama3")]
    [InlineData("llama2")]
    [InlineData("gemma")]
    [InlineData("metaspace-always")]
    public void StreamedTextJoinsToTheWholeAndNeverHoldsHalfCharacters(string kind)
    {
        var tokenizer = Tokenizer.Load(TokenizerFixtures.Folder(kind));
        const string Text = "Hello wörld, 中文 and 😀👩‍👩‍👧 done. ŉ ½";
        var ids = tokenizer.Encode(Text, false).Ids;
        var decoder = tokenizer.CreateStreamDecoder(skipSpecial: true);
        var joined = new StringBuilder();
        foreach (var id in ids)
        {
            var piece = decoder.Add(id);
            piece.ShouldNotContain('\uFFFD');
            joined.Append(piece);
        }

        joined.Append(decoder.Finish());
        joined.ToString().ShouldBe(tokenizer.Decode(ids, true));
    }

    [Fact]
    public void ManyThreadsGetTheSameIds()
    {
        var tokenizer = Tokenizer.Load(TokenizerFixtures.Folder("qwen2"));
        var random = new Random(3);
        var texts = Enumerable.Range(0, 200).Select(_ => RandomText(random, 60)).ToArray();
        var expected = texts.Select(t => tokenizer.Encode(t, true).Ids).ToArray();
        Parallel.For(0, 2000, i => tokenizer.Encode(texts[i % 200], true).Ids.ShouldBe(expected[i % 200]));
    }

    [Fact]
    public void BrokenFilesAreRefusedAndNeverCrash()
    {
        var random = new Random(11);
        var folder = Directory.CreateTempSubdirectory("sway-tok");
        try
        {
            var path = Path.Combine(folder.FullName, "tokenizer.json");
            foreach (var kind in new[] { "gpt2", "llama2", "kimi", "unigram-t5", "wordpiece", "added-stress" })
            {
                var whole = File.ReadAllBytes(TokenizerFixtures.Folder(kind, "tokenizer.json"));
                for (var i = 0; i < 60; i++)
                {
                    var bytes = whole.ToArray();
                    for (var k = random.Next(1, 6); k > 0; k--)
                    {
                        // Most settings stand in the first and last kilobytes.
                        var at = random.Next(2) == 0 ? random.Next(Math.Min(4000, bytes.Length)) : random.Next(bytes.Length);
                        bytes[at] = (byte)Noise[random.Next(Noise.Length)];
                    }

                    File.WriteAllBytes(path, i % 10 == 0 ? bytes[..random.Next(bytes.Length)] : bytes);
                    TryLoadAndEncode(path, random);
                }
            }

            File.WriteAllText(path, new string('[', 100_000));
            Should.Throw<TokenizationException>(() => Tokenizer.Load(path));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("(")]
    [InlineData("a{2")]
    [InlineData("[z-a]")]
    [InlineData(@"\p{Nope}")]
    [InlineData("(?<=a*)b")]
    [InlineData("((a*)*)*b")]
    [InlineData("(?i)ab|c")]
    public void AnyPatternCompilesOrIsRefused(string pattern)
    {
        RegexPattern compiled;
        try
        {
            compiled = new RegexPattern(pattern);
        }
        catch (RegexSyntaxException)
        {
            return;
        }

        compiled.FindSpans("aaaaaaaaaaaaaaaaaaaaaaaaab C ab"u8, []);
    }

    [Fact]
    public void AMissingFileNamesTheFolderAndARemedy()
    {
        var refusal = Should.Throw<TokenizationException>(() => Tokenizer.Load(TokenizerFixtures.Folder("nothing-here")));
        refusal.Path.ShouldNotBeNull();
        refusal.Remedy.ShouldNotBeNull();
    }

    private static void TryLoadAndEncode(string path, Random random)
    {
        try
        {
            var tokenizer = Tokenizer.Load(path);
            tokenizer.Decode(tokenizer.Encode(RandomText(random, 40), true).Ids, false).ShouldNotBeNull();
        }
        catch (TokenizationException)
        {
            // A refusal is what a broken file should give.
        }
    }

    private static string RandomText(Random random, int parts) =>
        string.Concat(Enumerable.Range(0, parts).Select(_ => s_alphabet[random.Next(s_alphabet.Length)]));
}
