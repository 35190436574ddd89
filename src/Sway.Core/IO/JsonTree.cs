using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace Sway.IO;

/// <summary>
/// A whole JSON value with every text checked and decoded: what small configurations are read into, where the library's document would
/// take longer to start than the rest of the work.
/// </summary>
internal sealed class JsonTree
{
    private readonly byte[] _json;
    private readonly int _start;
    private readonly int _end;

    private JsonTree(byte[] json, ref JsonTokens tokens)
    {
        _json = json;
        _start = tokens.Start;
        Kind = tokens.Kind;
        Text = Kind == JsonKind.String ? tokens.GetString() : null;
        if (Kind is JsonKind.Object or JsonKind.Array)
        {
            ReadMembers(ref tokens);
        }

        _end = tokens.End;
    }

    /// <summary>What it is.</summary>
    public JsonKind Kind { get; }

    /// <summary>The text of a string; null for anything else.</summary>
    public string? Text { get; }

    /// <summary>The members' names in the order of the text, repeated ones too; empty unless it is an object.</summary>
    public string[] Names { get; private set; } = [];

    /// <summary>The values of the members, or the items of an array.</summary>
    public JsonTree[] Items { get; private set; } = [];

    /// <summary>The value as it is written.</summary>
    public string RawText => Encoding.UTF8.GetString(_json, _start, _end - _start);

    /// <summary>Reads a text.</summary>
    /// <param name="json">UTF-8 without a byte order mark; it is kept and must not change.</param>
    /// <param name="maximumDepth">The deepest nesting.</param>
    /// <exception cref="JsonException">It is not JSON, or nested too deeply.</exception>
    /// <exception cref="InvalidOperationException">It holds text that is not valid Unicode.</exception>
    public static JsonTree Parse(byte[] json, int maximumDepth)
    {
        var tokens = new JsonTokens(json, maximumDepth);
        tokens.Read();
        var tree = new JsonTree(json, ref tokens);
        tokens.Read();
        return tree;
    }

    /// <summary>Finds a member. Of members of one name the last one counts, as it does in Python.</summary>
    public bool TryGet(string name, out JsonTree value)
    {
        for (int i = Names.Length - 1; i >= 0; i--)
        {
            if (Names[i] == name)
            {
                value = Items[i];
                return true;
            }
        }

        value = this;
        return false;
    }

    /// <summary>The nearest float64 of a number, infinite where it is too large for one.</summary>
    public double GetDouble() => Utf8Parser.TryParse(_json.AsSpan(_start, _end - _start), out double value, out _)
        ? value
        : throw new InvalidOperationException($"{RawText} is no number.");

    /// <summary>The number, where it is written as a whole one that fits.</summary>
    public bool TryGetInt32(out int value) =>
        Utf8Parser.TryParse(_json.AsSpan(_start, _end - _start), out value, out int used) && used == _end - _start;

    /// <summary>The same as the library's element.</summary>
    public JsonElement ToElement() => JsonFile.Parse(_json.AsMemory(_start, _end - _start));

    private void ReadMembers(ref JsonTokens tokens)
    {
        var names = new List<string>();
        var items = new List<JsonTree>();
        while (tokens.Read() && tokens.Kind is not (JsonKind.EndObject or JsonKind.EndArray))
        {
            if (tokens.Kind == JsonKind.Name)
            {
                names.Add(tokens.GetString());
                tokens.Read();
            }

            items.Add(new JsonTree(_json, ref tokens));
        }

        Names = [.. names];
        Items = [.. items];
    }
}
