using System.Text.Json;

namespace Sway.Architectures;

/// <summary>Rotary position parameters, whichever form of <c>config.json</c> they were written in.</summary>
/// <param name="Kind">default, linear, dynamic, yarn, longrope or llama3.</param>
/// <param name="Theta">The base of the frequencies.</param>
/// <param name="PartialFactor">The part of a head that is rotated, where the configuration names it.</param>
/// <param name="Parameters">The remaining fields, or null.</param>
public sealed record RopeConfig(string Kind, double Theta, double? PartialFactor, JsonElement? Parameters)
{
    /// <summary>A parameter of the scaling, or null.</summary>
    public double? Number(string name) =>
        Parameters is { } p && p.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && double.IsFinite(value.GetDouble())
            ? value.GetDouble()
            : null;

    /// <summary>A Boolean parameter of the scaling, or its default.</summary>
    public bool Flag(string name, bool fallback) =>
        Parameters is { } p && p.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean()
            : fallback;

    /// <summary>A list of numbers, or null where there is none or it holds anything else.</summary>
    public IReadOnlyList<double>? Numbers(string name) =>
        Parameters is { } p && p.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array
            && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number && double.IsFinite(item.GetDouble()))
            ? [.. value.EnumerateArray().Select(item => item.GetDouble())]
            : null;

    /// <summary>
    /// Reads <c>rope_parameters</c> (transformers 5, for one layer type where they differ) or <c>rope_theta</c> with
    /// <c>rope_scaling</c> (transformers 4). Where a file has both, <c>rope_scaling</c> counts, as in transformers.
    /// </summary>
    /// <param name="config">The configuration.</param>
    /// <param name="layerType">The layer type whose parameters are wanted.</param>
    /// <param name="defaultTheta">The architecture's default base.</param>
    /// <exception cref="UnsupportedModelException">The parameters differ by layer type and the one asked for is not among them.</exception>
    public static RopeConfig Read(ModelConfig config, string layerType = "full_attention", double defaultTheta = 10000.0)
    {
        var theta = config.OptionalNumber("rope_theta") ?? config.OptionalNumber("rotary_emb_base") ?? defaultTheta;
        if (config.Object("rope_scaling") is { } scaling && scaling.EnumerateObject().Any())
        {
            return IsNested(scaling) || (config.Object("rope_parameters") is { } both && IsNested(both))
                ? throw config.Unsupported("rope_scaling")
                : From(scaling, theta, config);
        }

        if (config.Object("rope_parameters") is not { } parameters)
        {
            return new RopeConfig("default", theta, Partial(config), null);
        }

        if (!IsNested(parameters))
        {
            return From(parameters, theta, config);
        }

        return parameters.TryGetProperty(layerType, out var own) && own.ValueKind == JsonValueKind.Object
            ? From(own, theta, config)
            : throw config.Unsupported("rope_parameters");
    }

    /// <summary>Whether the parameters are given for each layer type.</summary>
    public static bool IsNested(JsonElement parameters) =>
        parameters.EnumerateObject().Any(property => property.Value.ValueKind == JsonValueKind.Object);

    private static RopeConfig From(JsonElement parameters, double theta, ModelConfig config)
    {
        var kind = "default";
        if (parameters.TryGetProperty("rope_type", out var type) || parameters.TryGetProperty("type", out type))
        {
            kind = type.ValueKind switch
            {
                JsonValueKind.String => type.GetString()!,
                JsonValueKind.Null => "default",
                _ => throw config.Unsupported(config.Has("rope_parameters") ? "rope_parameters" : "rope_scaling"),
            };
        }

        if (parameters.TryGetProperty("rope_theta", out var own) && own.ValueKind == JsonValueKind.Number)
        {
            theta = own.GetDouble();
        }

        double? partial = parameters.TryGetProperty("partial_rotary_factor", out var part) && part.ValueKind == JsonValueKind.Number
            ? part.GetDouble()
            : Partial(config);
        // "su" is what early Phi-3 files call longrope; "mrope" rotates text like "default".
        kind = kind switch { "su" => "longrope", "mrope" => "default", _ => kind };
        return new RopeConfig(kind, theta, partial, parameters);
    }

    private static double? Partial(ModelConfig config) =>
        config.OptionalNumber("partial_rotary_factor") ?? config.OptionalNumber("rotary_pct");
}
