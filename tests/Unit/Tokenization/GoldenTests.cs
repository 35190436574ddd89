using System.Text.Json;
using Sway.Tokenization;
using Sway.Tokenization.Loading;

namespace Sway.Unit.Tokenization;

public sealed class GoldenTests
{
    public static TheoryData<string> Kinds() => TokenizerFixtures.Kinds();

    public static TheoryData<string> Staged() => TokenizerFixtures.Staged();

    public static TheoryData<string> AutoCases() => TokenizerFixtures.AutoCases();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void GivesTheLibrarysIdsSpansAndTexts(string kind)
    {
        var tokenizer = Tokenizer.Load(TokenizerFixtures.Folder(kind));
        var golden = TokenizerFixtures.Read(kind, "golden.json");
        tokenizer.VocabularySize.ShouldBe(golden.GetProperty("vocab_size").GetInt32());
        foreach (var item in golden.GetProperty("cases").EnumerateArray())
        {
            var text = item.GetProperty("text").GetString()!;
            var name = item.GetProperty("name").GetString();
            var plain = tokenizer.Encode(text, false);
            plain.Ids.ShouldBe(item.GetProperty("ids").Ints(), name);
            if (item.TryGetProperty("byte_offsets", out var offsets))
            {
                plain.Flat().ShouldBe(offsets.Ints(), name);
            }

            var special = tokenizer.Encode(text, true);
            special.Ids.ShouldBe((item.TryGetProperty("ids_special", out var ids) ? ids : item.GetProperty("ids")).Ints(), name);
            var positions = item.TryGetProperty("special_positions", out var p) ? p.Ints() : [];
            Enumerable.Range(0, special.Ids.Length).Where(i => special.IsInserted[i]).ShouldBe(positions, name);
            Decodes(tokenizer, item, plain.Ids, "decoded", false);
            Decodes(tokenizer, item, plain.Ids, "decoded_skip", true);
            Decodes(tokenizer, item, special.Ids, "decoded_special", false);
            Decodes(tokenizer, item, special.Ids, "decoded_special_skip", true);
        }
    }

    [Theory]
    [MemberData(nameof(Staged))]
    public void NormalizesAndSplitsAsTheLibraryDoes(string kind)
    {
        var file = TokenizerFile.Read(File.ReadAllBytes(TokenizerFixtures.Folder(kind, "tokenizer.json")));
        var normalizer = ComponentReader.ReadNormalizer(file.Normalizer);
        var preTokenizer = ComponentReader.ReadPreTokenizer(file.PreTokenizer);
        foreach (var item in TokenizerFixtures.Read(kind, "stages.json").GetProperty("cases").EnumerateArray())
        {
            var text = item.GetProperty("text").GetString()!;
            var expected = item.TryGetProperty("normalized", out var n) ? n.GetString()! : text;
            if (normalizer is not null)
            {
                var source = new AlignedText();
                source.SetIdentity(text);
                var target = new AlignedText();
                target.Clear();
                normalizer.Normalize(source, target);
                System.Text.Encoding.UTF8.GetString(target.Bytes).ShouldBe(expected);
            }

            if (preTokenizer is null || !item.TryGetProperty("split_offsets", out var offsets))
            {
                continue;
            }

            var state = new PipelineState();
            state.Start(expected);
            state.Pieces.Add(Piece.Text(state.Text, 0, state.Text.Length));
            preTokenizer.Apply(state);
            var bytes = System.Text.Encoding.UTF8.GetBytes(expected);
            var found = state.Pieces.Where(q => q.End > q.Start)
                .SelectMany(q => new[] { state.Text.OriginStart(q.Start), state.Text.OriginEnd(q.End - 1) })
                .Select(b => bytes.Take(b).Count(v => (v & 0xC0) != 0x80));
            found.ShouldBe(offsets.Ints(), item.GetProperty("name").GetString());
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void FindsTheBoundaryOfPromptAndCompletion(string kind)
    {
        var tokenizer = Tokenizer.Load(TokenizerFixtures.Folder(kind));
        foreach (var item in TokenizerFixtures.Read(kind, "boundary.json").GetProperty("cases").EnumerateArray())
        {
            var prompt = item.GetProperty("prompt").GetString()!;
            var boundary = PromptBoundary.Find(tokenizer, prompt, item.GetProperty("completion").GetString()!, true);
            boundary.Encoding.Ids.ShouldBe(item.GetProperty("join_ids_special").Ints());
            var starts = item.GetProperty("join_special_byte_starts").Ints();
            var encoding = boundary.Encoding;
            Enumerable.Range(0, starts.Length).Select(i => encoding.IsInserted[i] ? -1 : encoding.ByteSpans[i].Start).ShouldBe(starts);
            var first = item.GetProperty("first_token_past_prompt");
            boundary.FirstCompletionToken.ShouldBe(first.ValueKind == JsonValueKind.Null ? null : first.GetInt32());
            tokenizer.Encode(prompt, true).Ids.ShouldBe(item.GetProperty("prompt_ids_special").Ints());
            if (boundary.Kind == BoundaryKind.Merged)
            {
                boundary.MergedPromptBytes.ShouldBe(item.GetProperty("prompt_bytes").GetInt32() - starts[boundary.FirstCompletionToken!.Value]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(AutoCases))]
    public void GivesAutoTokenizersIds(string name)
    {
        var expected = TokenizerFixtures.Read("auto", name, "expected.json");
        if (expected.TryGetProperty("from_pretrained_arguments", out var arguments) && arguments.ValueKind == JsonValueKind.Object)
        {
            // Arguments of the Python call have no counterpart here.
            return;
        }

        var tokenizer = Tokenizer.Load(TokenizerFixtures.Folder("auto", name));
        tokenizer.VocabularySize.ShouldBe(expected.GetProperty("length").GetInt32());
        foreach (var item in expected.GetProperty("cases").EnumerateArray())
        {
            var text = item.GetProperty("text").GetString()!;
            var encoding = tokenizer.Encode(text, true);
            encoding.Ids.ShouldBe(item.GetProperty("auto_tokenizer_ids").Ints());
            tokenizer.Encode(text, false).Ids.ShouldBe(
                (item.TryGetProperty("auto_tokenizer_ids_no_special", out var plain) ? plain : item.GetProperty("auto_tokenizer_ids")).Ints());
            Decodes(tokenizer, item, encoding.Ids, "auto_decoded", false);
            Decodes(tokenizer, item, encoding.Ids, "auto_decoded_skip", true);
        }
    }

    [Fact]
    public void LoadsOrRefusesOddFiles()
    {
        foreach (var item in TokenizerFixtures.Read("quirks", "expected.json").GetProperty("files").EnumerateArray())
        {
            var file = item.GetProperty("file").GetString()!;
            var path = TokenizerFixtures.Folder("quirks", file);
            if (!item.GetProperty("loads").GetBoolean() || file == "template-missing.json")
            {
                var refusal = Should.Throw<TokenizationException>(() => Tokenizer.Load(path), file);
                refusal.Path.ShouldBe(path);
                refusal.Remedy.ShouldNotBeNullOrEmpty();
                continue;
            }

            var tokenizer = Tokenizer.Load(path);
            tokenizer.VocabularySize.ShouldBe(item.GetProperty("vocab_size").GetInt32(), file);
            foreach (var added in item.GetProperty("added").EnumerateArray())
            {
                tokenizer.TokenToId(added[1].GetString()!).ShouldBe(added[0].GetInt32(), file);
            }

            foreach (var c in (item.TryGetProperty("cases", out var cases) ? cases : item.GetProperty("texts")).EnumerateArray())
            {
                var text = c.GetProperty("text").GetString()!;
                if (c.TryGetProperty("error", out _))
                {
                    Should.Throw<TokenizationException>(() => tokenizer.Encode(text, true), file);
                    continue;
                }

                var encoding = tokenizer.Encode(text, true);
                encoding.Ids.ShouldBe(c.GetProperty("ids").Ints(), file + ": " + text);
                var bytes = System.Text.Encoding.UTF8.GetBytes(text);
                encoding.Flat().Select(b => bytes.Take(b).Count(v => (v & 0xC0) != 0x80)).ShouldBe(c.GetProperty("char_offsets").Ints(), file + ": " + text);
                tokenizer.Decode(encoding.Ids, false).ShouldBe(c.GetProperty("decoded").GetString(), file);
            }
        }
    }

    private static void Decodes(Tokenizer tokenizer, JsonElement item, int[] ids, string field, bool skip)
    {
        if (item.TryGetProperty(field, out var expected))
        {
            tokenizer.Decode(ids, skip).ShouldBe(expected.GetString(), field);
        }
    }
}
