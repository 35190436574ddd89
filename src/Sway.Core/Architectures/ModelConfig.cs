using System.Text.Json;
using Sway.IO;

namespace Sway.Architectures;

/// <summary>A base model's <c>config.json</c>, read in the forms that transformers 4 and 5 write.</summary>
/// <remarks>
/// Absent and null fields are the same. A field of an unexpected kind is an error that names it, never a default.
/// </remarks>
public sealed class ModelConfig
{
    private const long MaximumLength = 16 << 20;

    private readonly JsonElement _root;

    private ModelConfig(string path, JsonElement root, string? modelType = null)
    {
        Path = path;
        _root = root;
        if (modelType is not null)
        {
            ModelType = root.ValueKind == JsonValueKind.Object ? modelType : throw NotConfiguration(path, "it is not a JSON object");
            return;
        }

        ModelType = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("model_type", out var type)
            && type.ValueKind == JsonValueKind.String
            ? type.GetString()!
            : throw NotConfiguration(path, "it has no model_type");
    }

    /// <summary>Where the configuration was read.</summary>
    public string Path { get; }

    /// <summary>The field <c>model_type</c>.</summary>
    public string ModelType { get; }

    /// <summary>Whether the output head shares the embedding matrix.</summary>
    /// <param name="fallback">What the architecture decides.</param>
    public bool TiesWordEmbeddings(bool fallback) => Flag("tie_word_embeddings", fallback);

    /// <summary>Reads <c>config.json</c> of a model folder.</summary>
    /// <exception cref="ModelFormatException">The file is absent or not a JSON object with a model type.</exception>
    public static ModelConfig Load(string folder)
    {
        var path = System.IO.Path.Combine(folder, "config.json");
        if (!File.Exists(path))
        {
            throw new ModelFormatException($"{folder} is not a model's folder: it has no config.json.") { Path = folder };
        }

        return Read(path, null);
    }

    /// <summary>Reads a file of the same kind that lies beside config.json, where there is one.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="file">The file's name.</param>
    /// <param name="modelType">The model type, which such a file does not name.</param>
    /// <exception cref="ModelFormatException">The file is not a JSON object.</exception>
    public static ModelConfig? LoadFields(string folder, string file, string modelType)
    {
        var path = System.IO.Path.Combine(folder, file);
        return File.Exists(path) ? Read(path, modelType) : null;
    }

    private static ModelFormatException NotConfiguration(string path, string reason, Exception? inner = null) =>
        new($"{path} is not a model's configuration: {reason.TrimEnd('.')}.", inner) { Path = path };

    private static ModelConfig Read(string path, string? modelType)
    {
        try
        {
            return new ModelConfig(path, JsonFile.Read(path, MaximumLength), modelType);
        }
        catch (JsonException e)
        {
            throw NotConfiguration(path, e.Message, e);
        }
    }

    /// <summary>Reads a configuration from its text; <paramref name="name"/> stands in messages.</summary>
    public static ModelConfig Parse(string json, string name = "config.json")
    {
        using var document = JsonDocument.Parse(json);
        return new ModelConfig(name, document.RootElement.Clone());
    }

    /// <summary>Whether a field is there and not null.</summary>
    public bool Has(string name) => TryGet(name, out _);

    /// <summary>A whole number that must be there.</summary>
    public int Int(string name) => TryGet(name, out var value) ? ToInt(name, value) : throw Missing(name);

    /// <summary>The size of something: a whole number of at least 1 and at most <paramref name="maximum"/>, so that a wrong file
    /// cannot ask for any amount of memory.</summary>
    public int Size(string name, int maximum) => Int(name) is var value && value >= 1 && value <= maximum ? value : throw Unsupported(name);

    /// <summary>As <see cref="Size(string, int)"/>, with the architecture's default.</summary>
    public int Size(string name, int maximum, int fallback) => Has(name) ? Size(name, maximum) : fallback;

    /// <summary>A whole number, or the architecture's default.</summary>
    public int Int(string name, int fallback) => TryGet(name, out var value) ? ToInt(name, value) : fallback;

    /// <summary>A whole number that may be absent or null.</summary>
    public int? OptionalInt(string name) => TryGet(name, out var value) ? ToInt(name, value) : null;

    /// <summary>A number, or the architecture's default.</summary>
    public double Number(string name, double fallback) => TryGet(name, out var value) ? ToNumber(name, value) : fallback;

    /// <summary>A number that may be absent or null.</summary>
    public double? OptionalNumber(string name) => TryGet(name, out var value) ? ToNumber(name, value) : null;

    /// <summary>A whole number; null when the file says null, the architecture's default when it says nothing.</summary>
    public int? IntOrNull(string name, int? absent) => _root.TryGetProperty(name, out _) ? OptionalInt(name) : absent;

    /// <summary>A number; null when the file says null, the architecture's default when it says nothing.</summary>
    public double? NumberOrNull(string name, double? absent) => _root.TryGetProperty(name, out _) ? OptionalNumber(name) : absent;

    /// <summary>
    /// A Boolean, or the architecture's default. A null is false to transformers 4, an error to transformers 5, and as good as absent to
    /// others: it is refused where the default is true.
    /// </summary>
    public bool Flag(string name, bool fallback) => !_root.TryGetProperty(name, out var value)
        ? fallback
        : value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            JsonValueKind.Null when !fallback => false,
            _ => throw Unsupported(name),
        };

    /// <summary>A text, or the architecture's default.</summary>
    public string Text(string name, string fallback) => !TryGet(name, out var value)
        ? fallback
        : value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Unsupported(name);

    /// <summary>A list of texts, or null.</summary>
    public IReadOnlyList<string>? Texts(string name) => !TryGet(name, out var value)
        ? null
        : value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(item => item.ValueKind == JsonValueKind.String ? item.GetString()! : throw Unsupported(name))]
            : throw Unsupported(name);

    /// <summary>A list of whole numbers (or Booleans as 0 and 1), or null.</summary>
    public IReadOnlyList<int>? Ints(string name) => !TryGet(name, out var value)
        ? null
        : value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(item => item.ValueKind switch
                {
                    JsonValueKind.True => 1,
                    JsonValueKind.False => 0,
                    _ => ToInt(name, item),
                })]
            : throw Unsupported(name);

    /// <summary>One whole number or a list of them; empty when absent.</summary>
    public IReadOnlyList<int> IntOrInts(string name) => !TryGet(name, out var value)
        ? []
        : value.ValueKind == JsonValueKind.Array ? Ints(name)! : [ToInt(name, value)];

    /// <summary>An object, or null.</summary>
    public JsonElement? Object(string name) => !TryGet(name, out var value)
        ? null
        : value.ValueKind == JsonValueKind.Object ? value : throw Unsupported(name);

    /// <summary>Refuses a field whose value is not one that the engine computes.</summary>
    /// <exception cref="UnsupportedModelException">Always created, for the caller to throw.</exception>
    public UnsupportedModelException Unsupported(string name) =>
        new($"{Path}: {ModelType} with \"{name}\": {(TryGet(name, out var value) ? Shorten(value.GetRawText()) : "null")} is not supported.");

    /// <summary>Refuses any value of a field but the one given (or its absence).</summary>
    public void Demand(string name, bool only)
    {
        if (Has(name) && Flag(name, only) != only)
        {
            throw Unsupported(name);
        }
    }

    /// <summary>Refuses a field that is present and not null.</summary>
    public void DemandAbsent(string name)
    {
        if (Has(name))
        {
            throw Unsupported(name);
        }
    }

    /// <summary>Refuses a number that an architecture reads under two names, where the two differ.</summary>
    public void DemandSame(string name, string other)
    {
        if (Has(name) && Has(other) && Number(name, 0.0) != Number(other, 0.0))
        {
            throw Unsupported(name);
        }
    }

    private static string Shorten(string text) => text.Length <= 200 ? text : text[..200] + "...";

    private bool TryGet(string name, out JsonElement value) =>
        _root.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null;

    private UnsupportedModelException Missing(string name) => new($"{Path}: {ModelType} needs \"{name}\".");

    private int ToInt(string name, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : throw Unsupported(name);

    private double ToNumber(string name, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && double.IsFinite(value.GetDouble()) ? value.GetDouble() : throw Unsupported(name);
}
