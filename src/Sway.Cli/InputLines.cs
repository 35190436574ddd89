using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Sway.IO;

namespace Sway.Cli;

/// <summary>Items of a JSON Lines file.</summary>
internal static class InputLines
{
    // What two fields of one name mean would be a guess.
    private static readonly JsonDocumentOptions s_strict = new() { AllowDuplicateProperties = false };

    /// <summary>Every line of the file that is not empty, as an item; a line that cannot be read is an item that fails.</summary>
    /// <param name="path">The file, in UTF-8, or in UTF-16 with a byte order mark.</param>
    /// <param name="form">The fields of a right line, as the remedy of a wrong one says them.</param>
    internal static IEnumerable<InputItem> Read(string path, string form)
    {
        byte[] bytes = InUtf8(ExistingPath.Of(path));
        int number = 0;
        for (int start = 0; start < bytes.Length;)
        {
            int length = bytes.AsSpan(start).IndexOf((byte)'\n');
            length = length < 0 ? bytes.Length - start : length;
            number++;
            if (bytes.AsSpan(start, length).ContainsAnyExcept(" \t\r"u8))
            {
                yield return Parse(bytes.AsSpan(start, length), new InputLine(path, number, form));
            }

            start += length + 1;
        }
    }

    private static InputItem Parse(ReadOnlySpan<byte> line, InputLine place)
    {
        try
        {
            if (JsonNode.Parse(line, null, s_strict) is not JsonObject fields)
            {
                throw place.Error("not a JSON object");
            }

            CheckTexts(line);
            return InputItem.Of(place, fields);
        }
        catch (JsonException exception)
        {
            return InputItem.Broken(place, place.Error($"not JSON: {JsonFile.Describe(exception, oneLine: true)}", exception));
        }
        catch (InvalidOperationException exception)
        {
            return InputItem.Broken(place, place.Error("a text in it is not valid Unicode", exception));
        }
        catch (InputException exception)
        {
            return InputItem.Broken(place, exception);
        }
    }

    // A half of a surrogate pair is found only when the text is read.
    private static void CheckTexts(ReadOnlySpan<byte> line)
    {
        var reader = new Utf8JsonReader(line);
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String)
            {
                reader.GetString();
            }
        }
    }

    private static byte[] InUtf8(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        return bytes switch
        {
            [0xEF, 0xBB, 0xBF, ..] => bytes[3..],
            [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..] => Encoding.UTF8.GetBytes(TextFile.Read(path)),
            _ => bytes,
        };
    }
}
