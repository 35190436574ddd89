using System.Text.Json;
using Sway.Tokenization;
using Sway.Unit.Support;

namespace Sway.Unit.Tokenization;

/// <summary>The tokenizer fixtures: expected values come from the reference library.</summary>
internal static class TokenizerFixtures
{
    public static string Folder(params string[] parts) => Repository.Fixture(["tokenizers", .. parts]);

    public static TheoryData<string> Kinds() => With("golden.json", "");

    public static TheoryData<string> Staged() => With("stages.json", "");

    public static TheoryData<string> AutoCases() => With("expected.json", "auto");

    public static JsonElement Read(params string[] parts) =>
        JsonDocument.Parse(File.ReadAllBytes(Folder(parts))).RootElement;

    public static int[] Ints(this JsonElement element) => [.. element.EnumerateArray().Select(v => v.GetInt32())];

    public static int[] Flat(this Encoding encoding) => [.. encoding.ByteSpans.SelectMany(s => new[] { s.Start, s.End })];

    private static TheoryData<string> With(string file, string parent) =>
        [.. Directory.GetDirectories(Folder(parent)).Where(d => File.Exists(Path.Combine(d, file))).Select(d => Path.GetFileName(d)!).Order()];
}
