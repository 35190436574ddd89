using System.Text.Json;
using System.Text.Json.Nodes;
using Sway.Scoring;

namespace Sway.Cli.Commands.Measuring;

/// <summary>Lines of input files, and results as lines.</summary>
internal static class MeasureInput
{
    private static readonly JsonSerializerOptions s_readable = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The objects of a JSON Lines file.</summary>
    internal static IEnumerable<JsonObject> Read(string path)
    {
        int number = 0;
        foreach (string line in File.ReadLines(ExistingPath.Of(path)))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            JsonObject? item;
            try
            {
                item = JsonNode.Parse(line) as JsonObject;
            }
            catch (JsonException exception)
            {
                throw new AdapterFormatException($"{path}, line {number}: {exception.Message}", exception);
            }

            yield return item ?? throw new AdapterFormatException($"{path}, line {number} is not a JSON object.");
        }
    }

    /// <summary>A list of token ids, or null.</summary>
    internal static int[]? Ids(JsonObject item, string name) =>
        item[name] is JsonArray array ? [.. array.Select(id => Int(id, name))] : null;

    /// <summary>A text, or null.</summary>
    internal static string? Text(JsonObject item, string name) => item[name] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out string? text) => text,
        _ => throw new AdapterFormatException($"\"{name}\" of the item is not a text."),
    };

    private static int Int(JsonNode? node, string name) => node is JsonValue value && value.TryGetValue(out int id)
        ? id
        : throw new AdapterFormatException($"\"{name}\" of the item holds something that is not a token id.");

    /// <summary>An identifier, as text.</summary>
    internal static string? Id(JsonObject item) => item["id"] is JsonValue value
        ? value.TryGetValue(out string? text) ? text : value.ToJsonString()
        : null;

    /// <summary>Writes a result.</summary>
    internal static void Write(CommandContext context, JsonObject line)
    {
        context.Output.Writer.WriteLine(line.ToJsonString(s_readable));
        context.Output.Writer.Flush();
    }

    /// <summary>Numbers as a JSON array.</summary>
    internal static JsonArray Array(IEnumerable<double> values) => new([.. values.Select(value => (JsonNode)JsonValue.Create(value))]);

    /// <summary>Numbers as a JSON array.</summary>
    internal static JsonArray Array(IEnumerable<int> values) => new([.. values.Select(value => (JsonNode)JsonValue.Create(value))]);

    /// <summary>Divergences as a JSON object.</summary>
    internal static JsonObject Divergence(DivergenceScore score) => new()
    {
        ["klAdaptedBase"] = Array(score.AdaptedBase),
        ["klBaseAdapted"] = Array(score.BaseAdapted),
        ["js"] = Array(score.JensenShannon),
    };
}
