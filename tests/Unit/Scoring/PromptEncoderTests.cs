using Sway.IO;
using Sway.Scoring;
using Sway.Tokenization;
using Sway.Unit.Support;

namespace Sway.Unit.Scoring;

/// <summary>Start tokens and boundaries, with the sample model's tokenizer, which puts token 1022 in front of a text.</summary>
public sealed class PromptEncoderTests : IDisposable
{
    private const int Bos = 1022;
    private static readonly string s_model = Path.Combine(Repository.Root, "samples", "base");
    private readonly ScoringSession _session = ScoringSession.Open(s_model);

    public void Dispose() => _session.Dispose();

    [Theory]
    [InlineData(BosMode.Auto, BosAction.Added)]
    [InlineData(BosMode.Always, BosAction.Added)]
    [InlineData(BosMode.Never, BosAction.None)]
    public void StartTokenIsPutInFrontAsAsked(BosMode mode, BosAction expected)
    {
        var tokens = Encoder(mode).Completion("The king", " is dead", BoundaryMode.Joint);
        tokens.Bos.ShouldBe(expected);
        (tokens.Sequence.Ids[0] == Bos).ShouldBe(expected == BosAction.Added);
    }

    [Fact]
    public void StartTokenIsNeverDoubled()
    {
        var given = Encoder(BosMode.Always).Completion("<|begin_of_text|>The king", " is dead", BoundaryMode.Joint);
        given.Bos.ShouldBe(BosAction.Present);
        given.Sequence.ShouldBeEquivalentTo(Encoder(BosMode.Auto).Completion("The king", " is dead", BoundaryMode.Joint).Sequence);
        Should.Throw<ScoringException>(() => Encoder(BosMode.Auto).Completion("", "<|begin_of_text|>The", BoundaryMode.Joint))
            .Remedy.ShouldBe("Put the start token into the prompt.");
    }

    [Fact]
    public void EmptyPromptNeedsTheStartToken()
    {
        Encoder(BosMode.Auto).Completion("", "The king", BoundaryMode.Joint).Sequence.FirstScored.ShouldBe(1);
        Should.Throw<ScoringException>(() => Encoder(BosMode.Never).Completion("", "The king", BoundaryMode.Joint)).Message
            .ShouldContain("An empty prompt");
        Should.Throw<ScoringException>(() => Encoder(BosMode.Auto).Completion("The king", "", BoundaryMode.Joint)).Message
            .ShouldContain("without tokens");
    }

    [Fact]
    public void BoundaryModesKeepAllOfTheText()
    {
        foreach (var mode in Enum.GetValues<BoundaryMode>())
        {
            var tokens = Encoder(BosMode.Auto).Completion("The king is ", "dead", mode);
            Encoder(BosMode.Auto).Tokenizer.Decode([.. tokens.Sequence.Ids], skipSpecial: true).ShouldBe("The king is dead");
        }

        var merged = Encoder(BosMode.Auto).Completion("The kin", "g is dead", BoundaryMode.Joint);
        merged.Boundary.ShouldBe(BoundaryKind.Merged);
        merged.MergedPromptBytes.ShouldBeGreaterThan(0);
    }

    [Theory]
    [InlineData(RollingPreset.Full)]
    [InlineData(RollingPreset.LmEval)]
    [InlineData(RollingPreset.LlamaCpp)]
    public void BytesAreThoseOfTheScoredTokens(RollingPreset preset)
    {
        // Half a window of llama-perplexity may end within a character, which then counts with its last token.
        var greeting = preset == RollingPreset.LlamaCpp ? "Ave" : "\u00E9t\u00E9, \u4F60\u597D";
        var text = $"The king said: {greeting}, and the queen was gone before the morning came to Rome.";
        var encoder = Encoder(BosMode.Auto);
        foreach (var window in (int[])[4, 7, 16, 256])
        {
            var rolling = encoder.Rolling(text, preset);
            var scored = rolling.Plan(preset, window).SelectMany(sequence => sequence.Ids.Skip(sequence.FirstScored)).ToList();

            // The bytes of tokens as the vocabulary holds them: one character of the byte-level alphabet for each.
            rolling.ScoredBytes(preset, window).ShouldBe(scored.Sum(id => encoder.Tokenizer.TokenText(id)!.Length), $"window {window}");
        }
    }

    [Fact]
    public void RollingTextKeepsItsOwnStartToken()
    {
        var plain = Encoder(BosMode.Auto).Rolling("The king is dead", RollingPreset.Full);
        var given = Encoder(BosMode.Auto).Rolling("<|begin_of_text|>The king is dead", RollingPreset.Full);
        given.Bos.ShouldBe(BosAction.Present);
        given.Ids.ShouldBe(plain.Ids);
        given.ScoredBytes(RollingPreset.Full, 256).ShouldBe(16);
        plain.ScoredBytes(RollingPreset.Full, 256).ShouldBe(16);
        Encoder(BosMode.Never).Rolling("The king is dead", RollingPreset.Full).ScoredBytes(RollingPreset.Full, 256).ShouldBe(13);
    }

    [Fact]
    public void FilesThatAreNoTextAreRefused()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "text");
        File.WriteAllBytes(path, [0xEF, 0xBB, 0xBF, (byte)'a', 13, 10]);
        TextFile.Read(path).ShouldBe("a\r\n");
        File.WriteAllBytes(path, [0xFF, 0xFE, (byte)'a', 0]);
        TextFile.Read(path).ShouldBe("a");
        File.WriteAllBytes(path, [(byte)'a', 0xE9, (byte)'b']);
        Should.Throw<InputException>(() => TextFile.Read(path)).Offset.ShouldBe(1);
    }

    [Fact]
    public void StreamedTokensAreTheGeneratedOnes()
    {
        var ids = Encoder(BosMode.Auto).Prompt("The king");
        var settings = new GenerationSettings { MaxTokens = 12, Temperature = 0.9, Seed = 7 };
        var whole = NextToken.Generate(_session, ids, adapted: false, settings);
        NextToken.Stream(_session, ids, adapted: false, settings).Take(5).ShouldBe(whole.Take(5));

        // Two streams beside each other do not disturb one another.
        var pairs = NextToken.Stream(_session, ids, false, settings).Zip(NextToken.Stream(_session, ids, false, settings)).ToList();
        pairs.Select(pair => pair.First).ShouldBe(whole);
        pairs.Select(pair => pair.Second).ShouldBe(whole);
    }

    private PromptEncoder Encoder(BosMode bos) => new(s_model, _session.Config, bos);
}
