using System.Text.Json;
using System.Text.Json.Nodes;

namespace Sway.Cli;

/// <summary>
/// One item to measure or to tokenize: a line of an input file, or what options give. A broken line is an item too, whose fields cannot
/// be read; so it fails by itself, in its place, and the others are done.
/// </summary>
internal sealed class InputItem
{
    private readonly JsonObject _fields;
    private readonly InputException? _broken;
    private readonly InputLine? _line;

    private InputItem(string id, JsonObject fields, InputLine? line, InputException? broken)
    {
        Id = id;
        _fields = fields;
        _line = line;
        _broken = broken;
    }

    /// <summary>The item's own id; the number of its line, from 1, where it has none.</summary>
    internal string Id { get; }

    /// <summary>What options give.</summary>
    internal static InputItem Of(JsonObject fields, string id = "0") => new(id, fields, null, null);

    /// <summary>A line of a file.</summary>
    internal static InputItem Of(InputLine line, JsonObject fields)
    {
        string? id = fields["id"] switch
        {
            null => null,
            JsonValue value => value.TryGetValue(out string? text) ? text : value.ToJsonString(),
            _ => throw line.Error("\"id\" is neither a text nor a number"),
        };
        return new InputItem(id ?? line.Name, fields, line, null);
    }

    /// <summary>A line that cannot be read.</summary>
    internal static InputItem Broken(InputLine line, InputException error) => new(line.Name, [], line, error);

    /// <summary>Whether the item has a field, and not null in it.</summary>
    internal bool Has(string name) => _broken is null && _fields[name] is not null;

    /// <summary>The text of a field, or null.</summary>
    /// <exception cref="InputException">The line is broken, or holds something else there.</exception>
    internal string? Text(string name) => Field(name) switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out string? text) => text,
        _ => throw Error($"\"{name}\" is not a text"),
    };

    /// <summary>The text of a field.</summary>
    /// <exception cref="InputException">There is none.</exception>
    internal string Needed(string name) => Text(name) ?? throw Error($"there is no \"{name}\"");

    /// <summary>The token ids of a field, or null.</summary>
    /// <exception cref="InputException">The line is broken, or holds something else there.</exception>
    internal int[]? Ids(string name) => Field(name) switch
    {
        null => null,
        JsonArray list => [.. list.Select(id => Id32(id, name))],
        _ => throw Error($"\"{name}\" is not a list of token ids"),
    };

    private JsonNode? Field(string name) => _broken is null ? _fields[name] : throw _broken;

    private int Id32(JsonNode? node, string name) => node is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue(out int id)
        ? id
        : throw Error($"\"{name}\" holds {node?.ToJsonString() ?? "null"}, which is no token id");

    /// <summary>The error of an item that lacks something.</summary>
    internal InputException Error(string reason) => _line?.Error(reason) ?? new InputException($"The item cannot be used: {reason}.");
}

/// <summary>A place in an input file, for errors to name.</summary>
/// <param name="Path">The file, as it was named.</param>
/// <param name="Number">The line, from 1.</param>
/// <param name="Form">The fields of a right line, for the remedy.</param>
internal sealed record InputLine(string Path, int Number, string Form)
{
    /// <summary>What an item without an id is called.</summary>
    internal string Name => Number.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The error of this line.</summary>
    internal InputException Error(string reason, Exception? inner = null) => new($"{Path}, line {Number}: {reason}.", inner)
    {
        Path = Path,
        Remedy = $"Correct the line: each is one JSON object in UTF-8 with {Form}.",
    };
}
