using System.Text;
using System.Text.Json;
using Sway.IO;
using Sway.Unit.Fuzzing;

namespace Sway.Unit.IO;

/// <summary>Sway's own reader of JSON accepts what the library's accepts, and reads the same from it.</summary>
public sealed class JsonTreeTests
{
    private const string Sample = """
        {"peft_type":"LORA","r":8,"lora_alpha":16.5e0,"bias":"none","rank_pattern":{"a\\.b":4,"ä\u00e4\ud83d\ude00/\/":-0.0},
         "target_modules":["q_proj","v_proj",[],{}],"x":null,"y":[true,false,1e400,9223372036854775808,0,-12]}
        """;

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("1")]
    [InlineData(" -0 ")]
    [InlineData("01")]
    [InlineData("1.")]
    [InlineData(".5")]
    [InlineData("+1")]
    [InlineData("1e")]
    [InlineData("1E+05")]
    [InlineData("1x")]
    [InlineData("-")]
    [InlineData("tru")]
    [InlineData("truex")]
    [InlineData("nul")]
    [InlineData("NaN")]
    [InlineData("[]")]
    [InlineData("[1,]")]
    [InlineData("[,1]")]
    [InlineData("[1 2]")]
    [InlineData("[1}")]
    [InlineData("[")]
    [InlineData("]")]
    [InlineData("{}")]
    [InlineData("{\"a\":1,}")]
    [InlineData("{\"a\" 1}")]
    [InlineData("{\"a\":}")]
    [InlineData("{\"a\"}")]
    [InlineData("{a:1}")]
    [InlineData("{\"a\":1,\"a\":2}")]
    [InlineData("{1:2}")]
    [InlineData("{\"a\":1]")]
    [InlineData("{} {}")]
    [InlineData("{}x")]
    [InlineData("[1] // note")]
    [InlineData("/* note */ 1")]
    [InlineData("\"")]
    [InlineData("\"\\")]
    [InlineData("\"\\x\"")]
    [InlineData("\"\\u12g4\"")]
    [InlineData("\"\\u123\"")]
    [InlineData("\"\\ud800\"")]
    [InlineData("\"\\udc00\\ud800\"")]
    [InlineData("\"\\ud83d\\ude00\"")]
    [InlineData("\"\\ud83d\\n\"")]
    [InlineData("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00E4\"")]
    [InlineData("\"a\nb\"")]
    [InlineData("\"\u007f\u0080\uffff\"")]
    [InlineData(Sample)]
    public void Reads_what_the_library_reads(string text) => Compare(Encoding.UTF8.GetBytes(text));

    [Fact]
    public void Refuses_bytes_that_are_not_UTF8() => Compare([(byte)'"', 0xC3, 0x28, (byte)'"']);

    [Theory]
    [InlineData(64)]
    [InlineData(65)]
    public void Limits_the_nesting(int depth) => Compare(Encoding.UTF8.GetBytes(new string('[', depth) + new string(']', depth)));

    [Fact]
    public void Reads_what_the_library_reads_of_damaged_texts()
    {
        var random = new Random(11);
        byte[] sample = Encoding.UTF8.GetBytes(Sample);
        int accepted = 0;
        for (int i = 0; i < 4000; i++)
        {
            accepted += Compare(JsonMutator.Mutate(sample, random)) ? 1 : 0;
        }

        accepted.ShouldBeInRange(500, 3900);
    }

    [Fact]
    public void Finds_the_last_member_of_a_name()
    {
        JsonTree tree = JsonTree.Parse("""{"a":1,"b":2,"a":3}"""u8.ToArray(), 8);

        tree.TryGet("a", out JsonTree value).ShouldBeTrue();
        value.TryGetInt32(out int number).ShouldBeTrue();
        number.ShouldBe(3);
        tree.TryGet("c", out _).ShouldBeFalse();
    }

    // True when both accept it.
    private static bool Compare(byte[] json)
    {
        (JsonElement Element, string? Problem) expected = Try(() => JsonFile.Parse(json));
        (JsonTree? Tree, string? Problem) actual = Try(() => Tree(json));
        actual.Problem.ShouldBe(expected.Problem, Encoding.UTF8.GetString(json));
        if (actual.Tree is { } tree)
        {
            Compare(tree, expected.Element);
        }

        return actual.Tree is not null;
    }

    private static JsonTree Tree(byte[] json)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, json);
            return JsonFile.ReadTree(path);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static (T? Value, string? Problem) Try<T>(Func<T> read)
    {
        try
        {
            return (read(), null);
        }
        catch (JsonException problem)
        {
            return (default, problem.Message);
        }
    }

    private static void Compare(JsonTree tree, JsonElement element)
    {
        tree.Kind.ToString().ShouldBe(element.ValueKind.ToString());
        tree.RawText.ShouldBe(element.GetRawText());
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                tree.Text.ShouldBe(element.GetString());
                break;
            case JsonValueKind.Number:
                BitConverter.DoubleToInt64Bits(tree.GetDouble()).ShouldBe(BitConverter.DoubleToInt64Bits(element.GetDouble()));
                (tree.TryGetInt32(out int whole) ? whole : (int?)null).ShouldBe(element.TryGetInt32(out int wanted) ? wanted : null);
                break;
            case JsonValueKind.Array:
                Compare(tree.Items, [.. element.EnumerateArray()]);
                break;
            case JsonValueKind.Object:
                tree.Names.ShouldBe(element.EnumerateObject().Select(member => member.Name));
                Compare(tree.Items, [.. element.EnumerateObject().Select(member => member.Value)]);
                break;
        }
    }

    private static void Compare(JsonTree[] items, JsonElement[] elements)
    {
        items.Length.ShouldBe(elements.Length);
        foreach ((JsonTree item, JsonElement element) in items.Zip(elements))
        {
            Compare(item, element);
        }
    }
}
