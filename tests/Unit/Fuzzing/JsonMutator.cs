using System.Text;
using System.Text.Json;

namespace Sway.Unit.Fuzzing;

/// <summary>Changes a JSON text at its tokens: other types and sizes of values, doubled, renamed and deleted members.</summary>
internal static class JsonMutator
{
    private static readonly string[] s_values =
    [
        "null", "true", "false", "0", "-0", "-1", "1", "2", "3", "0.5", "8.0", "16", "1e400", "-1e400", "1e308", "1e-400", "2147483647", "2147483648", "4294967296",
        "1048577", "9223372036854775807", "9223372036854775808", "18446744073709551616", "NaN", "Infinity", "\"\"", "\"8\"", "\"none\"", "\"text\"", "\"\\ud800\"", "\"\\u0000\"",
        "\"..\"", "\"../../x\"", "\"(a*)*b\"", "\"(\"", "[]", "{}", "[null]", "[1,2]", "[[]]", "{\"a\":1}", "[\"q_proj\"]", "[\"\"]", "[-1]", "[9223372036854775807]", "{\"\":{}}",
    ];

    private readonly record struct Piece(JsonTokenType Type, int Start, int End);

    /// <summary>Applies one to three changes; text that is not JSON is changed as bytes.</summary>
    public static byte[] Mutate(byte[] json, Random random)
    {
        for (int round = random.Next(3); round >= 0; round--)
        {
            json = Tokens(json) is { Count: > 2 } tokens && random.Next(12) > 0 ? Once(json, tokens, random) : ByteMutator.Mutate(json, random);
        }

        return json;
    }

    private static byte[] Once(byte[] json, List<Piece> tokens, Random random)
    {
        int index = random.Next(1, tokens.Count);
        Piece token = tokens[index];
        switch (token.Type)
        {
            case JsonTokenType.PropertyName when random.Next(2) == 0: // the name of another member: renamed or doubled
                Piece[] names = [.. tokens.Where(other => other.Type == JsonTokenType.PropertyName)];
                Piece other = names[random.Next(names.Length)];
                return Replace(json, token, json[other.Start..other.End]);
            case JsonTokenType.PropertyName when random.Next(3) == 0:
                return Replace(json, token, Encoding.UTF8.GetBytes(random.Next(3) switch { 0 => "\"\"", 1 => "\"\\ud800\"", _ => "\"a\\u0000b\"" }));
            case JsonTokenType.PropertyName: // the member twice, the second time with another value
                byte[] doubled = [.. json[token.Start..token.End], .. Encoding.UTF8.GetBytes(":" + Value(random) + ",")];
                return [.. json[..token.Start], .. doubled, .. json[token.Start..]];
            default:
                int end = EndOfValue(tokens, index);
                if (end < 0)
                {
                    return ByteMutator.Mutate(json, random);
                }

                var whole = new Piece(token.Type, token.Start, tokens[end].End);
                if (random.Next(5) == 0) // another value of the same text
                {
                    Piece[] values = [.. tokens.Where(t => t.Type is JsonTokenType.Number or JsonTokenType.String or JsonTokenType.True or JsonTokenType.Null)];
                    Piece source = values.Length > 0 ? values[random.Next(values.Length)] : token;
                    return Replace(json, whole, json[source.Start..source.End]);
                }

                return Replace(json, whole, Encoding.UTF8.GetBytes(Value(random)));
        }
    }

    private static string Value(Random random) => random.Next(30) switch
    {
        0 => new string('[', 5000) + new string(']', 5000),
        1 => string.Concat(Enumerable.Repeat("{\"a\":", 3000)) + "1" + new string('}', 3000),
        2 => "1" + new string('0', 3000),
        3 => "\"" + new string('x', 50_000) + "\"",
        4 => "[" + string.Join(',', Enumerable.Range(0, 3000)) + "]",
        5 => random.Next().ToString(System.Globalization.CultureInfo.InvariantCulture),
        6 => random.Next(64).ToString(System.Globalization.CultureInfo.InvariantCulture),
        _ => s_values[random.Next(s_values.Length)],
    };

    private static int EndOfValue(List<Piece> tokens, int start)
    {
        int depth = 0;
        for (int i = start; i < tokens.Count; i++)
        {
            depth += tokens[i].Type switch
            {
                JsonTokenType.StartArray or JsonTokenType.StartObject => 1,
                JsonTokenType.EndArray or JsonTokenType.EndObject => -1,
                _ => 0,
            };
            if (depth <= 0)
            {
                return depth == 0 ? i : -1;
            }
        }

        return -1;
    }

    private static byte[] Replace(byte[] json, Piece piece, byte[] text) => [.. json[..piece.Start], .. text, .. json[piece.End..]];

    private static List<Piece>? Tokens(byte[] json)
    {
        var tokens = new List<Piece>();
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 64, CommentHandling = JsonCommentHandling.Skip });
            while (reader.Read())
            {
                int start = (int)reader.TokenStartIndex;
                int quotes = reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName ? 2 : 0;
                tokens.Add(new Piece(reader.TokenType, start, start + reader.ValueSpan.Length + quotes));
            }
        }
        catch (JsonException)
        {
            return null;
        }

        return tokens;
    }
}
