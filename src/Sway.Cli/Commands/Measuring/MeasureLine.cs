using System.Text.Json;
using System.Text.Json.Nodes;
using Sway.Scoring;

namespace Sway.Cli.Commands.Measuring;

/// <summary>Results as lines of JSON.</summary>
internal static class MeasureLine
{
    private static readonly JsonSerializerOptions s_readable = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>A line as it is written.</summary>
    internal static string Text(JsonObject line) => line.ToJsonString(s_readable);

    /// <summary>Numbers as a JSON array.</summary>
    internal static JsonArray Array(IEnumerable<double> values) => new([.. values.Select(value => (JsonNode)JsonValue.Create(value))]);

    /// <summary>Numbers as a JSON array.</summary>
    internal static JsonArray Array(IEnumerable<int> values) => new([.. values.Select(value => (JsonNode)JsonValue.Create(value))]);

    /// <summary>Texts as a JSON array.</summary>
    internal static JsonArray Array(IEnumerable<string> values) => new([.. values.Select(value => (JsonNode)JsonValue.Create(value))]);

    /// <summary>Divergences as a JSON object.</summary>
    internal static JsonObject Divergence(DivergenceScore score) => new()
    {
        ["klAdaptedBase"] = Array(score.AdaptedBase),
        ["klBaseAdapted"] = Array(score.BaseAdapted),
        ["js"] = Array(score.JensenShannon),
    };
}
