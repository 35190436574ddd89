using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Sway.IO;

/// <summary>
/// Reads JSON files that nobody vouches for: of bounded size and depth, and every text in them valid Unicode, so that no later access
/// to a value can fail because of it.
/// </summary>
public static class JsonFile
{
    private const int MaximumDepth = 64;

    /// <summary>The root element. A byte order mark is read over.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maximumLength">The longest file of its kind, in bytes.</param>
    /// <exception cref="JsonException">The file is larger, is no JSON, or holds text that is not valid Unicode.</exception>
    public static JsonElement Read(string path, long maximumLength = 64 << 20) => Parse(ReadBytes(path, maximumLength));

    /// <summary>The same as a tree of Sway's own, which starts faster.</summary>
    /// <exception cref="JsonException">As for <see cref="Read"/>.</exception>
    internal static JsonTree ReadTree(string path, long maximumLength = 64 << 20)
    {
        byte[] json = ReadBytes(path, maximumLength);
        try
        {
            return JsonTree.Parse(json, MaximumDepth);
        }
        catch (Exception e)
        {
            throw Reworded(json, e);
        }
    }

    private static byte[] ReadBytes(string path, long maximumLength)
    {
        long length = new FileInfo(path).Length;
        if (length > maximumLength)
        {
            throw TooLong(length);
        }

        byte[] bytes = File.ReadAllBytes(path);
        return bytes is [0xEF, 0xBB, 0xBF, ..] ? bytes[3..] : bytes;
    }

    /// <summary>The root element of a text in UTF-8.</summary>
    /// <exception cref="JsonException">As for <see cref="Read"/>.</exception>
    public static JsonElement Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            CheckTexts(json.Span);
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MaximumDepth });
            return document.RootElement.Clone();
        }
        catch (JsonException e) when (e.LineNumber is not null)
        {
            throw new JsonException(Describe(e), e.Path, e.LineNumber, e.BytePositionInLine, e);
        }
    }

    /// <summary>What the parser says, with the place counted from 1, as editors count, in place of its own ending.</summary>
    /// <param name="exception">The parser's.</param>
    /// <param name="oneLine">Whether the text is one line, so that the number says nothing.</param>
    public static string Describe(JsonException exception, bool oneLine = false)
    {
        int end = exception.Message.IndexOf(" LineNumber: ", StringComparison.Ordinal);
        string reason = (end < 0 ? exception.Message : exception.Message[..end]).TrimEnd('.', ' ');
        string line = oneLine || exception.LineNumber is null ? "" : $"line {exception.LineNumber + 1}, ";
        return end >= 0 && exception.BytePositionInLine is { } position ? $"{reason} ({line}byte {position + 1})" : reason;
    }

    /// <summary>The same as nodes that can be changed. Of members of one name the last one counts, as it does in Python.</summary>
    public static JsonNode? ToNode(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                var node = new JsonObject();
                foreach (JsonProperty member in element.EnumerateObject())
                {
                    node[member.Name] = ToNode(member.Value);
                }

                return node;
            case JsonValueKind.Array:
                return new JsonArray([.. element.EnumerateArray().Select(ToNode)]);
            case JsonValueKind.Null or JsonValueKind.Undefined:
                return null;
            default:
                return JsonValue.Create(element);
        }
    }

    private static void CheckTexts(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaximumDepth });
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String)
                {
                    reader.GetString();
                }
            }
        }
        catch (InvalidOperationException e)
        {
            throw NotUnicode(e);
        }
    }

    // Parse cannot read it either, and says what is wrong.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Exception Reworded(byte[] json, Exception problem)
    {
        try
        {
            Parse(json);
            return problem;
        }
        catch (JsonException worded)
        {
            return worded;
        }
    }

    // Exceptions of the library's are made apart: a method that makes one loads the library, thrown or not.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static JsonException TooLong(long length) => new($"it has {length} bytes, more than any file of its kind");

    private static JsonException NotUnicode(InvalidOperationException problem) =>
        new($"it holds text that is not valid Unicode ({problem.Message.TrimEnd('.')})", problem);
}
