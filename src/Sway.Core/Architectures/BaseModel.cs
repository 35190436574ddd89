using System.Collections.Immutable;
using System.Text.Json;
using Sway.IO;
using Sway.Tensors;

namespace Sway.Architectures;

/// <summary>
/// A base model as conversions see it: its configuration, the map of its modules, and single tensors where a case needs
/// them. Opening reads config.json only.
/// </summary>
public sealed class BaseModel : IDisposable
{
    private const long MaximumConfigLength = 16 << 20;

    // Of layers or experts; many times what any model has, and few enough to count them.
    private const int MaximumCount = 1 << 16;

    private readonly Lazy<TensorFile?> _weights;
    private readonly JsonElement _root;
    private readonly JsonElement _text;
    private readonly bool _isNested;

    private BaseModel(string folder, JsonElement root)
    {
        Folder = folder;
        _root = root;
        _text = TextConfig(root, out _isNested);
        _weights = new Lazy<TensorFile?>(() => BaseWeightFiles.TryFind(folder) is { } path ? BaseWeightFiles.Open(path) : null);
        ModelType = GetString(_root, "model_type") ?? GetString(_text, "model_type") ?? "";
        Map = ModuleMaps.Find(ModelType);
        if (ModelType == "granitemoehybrid" && (FindInt("num_local_experts") ?? 0) == 0)
        {
            Map = ModuleMaps.Find("granitemoehybrid@dense");
        }

        LayerCount = Count("num_hidden_layers", "n_layer", "n_layers", "num_layers")
            ?? (_text.TryGetProperty("layers_block_type", out JsonElement kinds) && kinds.ValueKind == JsonValueKind.Array ? kinds.GetArrayLength() : null);
        ExpertCount = Count("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts", "num_moe_experts");
    }

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary><c>model_type</c>, of the whole model.</summary>
    public string ModelType { get; }

    /// <summary>The map of the modules, or null for an architecture that Sway does not know.</summary>
    public ModuleMap? Map { get; }

    /// <summary>The whole configuration.</summary>
    public JsonElement Config => _root;

    /// <summary>The language model's part of the configuration (the whole of it for a text model).</summary>
    public JsonElement LanguageConfig => _text;

    /// <summary>The number of layers, or null when the configuration does not say.</summary>
    public int? LayerCount { get; }

    /// <summary>The width of the model.</summary>
    public int? HiddenSize => FindInt("hidden_size") ?? FindInt("n_embd") ?? FindInt("d_model");

    /// <summary>The number of tokens in the vocabulary.</summary>
    public int? VocabularySize => FindInt("vocab_size");

    /// <summary>The number of routed experts, or null.</summary>
    public int? ExpertCount { get; }

    /// <summary>Whether head and embedding are one tensor; false where <see cref="Tying"/> is not known.</summary>
    public bool IsTied => Tying ?? false;

    /// <summary>
    /// Whether head and embedding are one tensor, in transformers and in mlx-lm alike; null where the configuration does not
    /// make them agree. A model of several parts has the field twice: mlx-lm reads the language model's.
    /// </summary>
    public bool? Tying
    {
        get
        {
            const string Field = "tie_word_embeddings";
            bool? usual = Map?.TiedByDefault;
            bool? whole = FindBool(_root, Field);
            if (!_isNested)
            {
                return whole ?? usual;
            }

            bool? text = FindBool(_text, Field);
            return (whole, text) switch
            {
                (null, null) => usual,
                (null, _) => text,
                _ when whole == text || whole == usual => whole,
                _ => null,
            };
        }
    }

    /// <summary>The weights' headers, or null where the folder has none (or only some other format).</summary>
    /// <exception cref="AdapterFormatException">The weights are damaged.</exception>
    public TensorFile? Weights => _weights.Value;

    /// <summary>Opens a folder with a config.json.</summary>
    /// <exception cref="ModelFormatException">There is no config.json, or it is not a model's configuration.</exception>
    public static BaseModel Open(string folder)
    {
        string path = System.IO.Path.Combine(folder, "config.json");
        if (!File.Exists(path))
        {
            throw new ModelFormatException($"{folder} is not a base model: it has no config.json.")
            {
                Path = folder,
                Remedy = "Name the folder that holds the base model's config.json.",
            };
        }

        try
        {
            JsonElement root = JsonFile.Read(path, MaximumConfigLength);
            return root.ValueKind == JsonValueKind.Object
                ? new BaseModel(System.IO.Path.GetFullPath(folder), root)
                : throw new JsonException("it is not an object");
        }
        catch (JsonException e)
        {
            throw new ModelFormatException($"{path} is not a model's configuration: {e.Message.TrimEnd('.')}.", e) { Path = path };
        }
    }

    /// <summary>A whole number of the language model's configuration.</summary>
    public int? FindInt(string name) => FindInt(_text, name) ?? FindInt(_root, name);

    /// <summary>A number of the language model's configuration.</summary>
    public double? FindDouble(string name) =>
        _text.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;

    /// <summary>A list of numbers of the language model's configuration.</summary>
    public ImmutableArray<double>? FindDoubles(string name) =>
        _text.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.Number).Select(item => item.GetDouble())]
            : null;

    /// <summary>Finds the weight of a module in the base's files under the names that checkpoints use for it.</summary>
    /// <param name="huggingFacePath">The module's path, or a bare parameter's with its name.</param>
    public TensorInfo? FindWeight(string huggingFacePath)
    {
        if (Weights is not { } weights)
        {
            return null;
        }

        foreach (string path in CheckpointSpellings(huggingFacePath))
        {
            if (weights.Find(path + ".weight") is { } weight)
            {
                return weight;
            }

            if (weights.Find(path) is { } parameter)
            {
                return parameter;
            }
        }

        return null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_weights.IsValueCreated)
        {
            _weights.Value?.Dispose();
        }
    }

    private static IEnumerable<string> CheckpointSpellings(string path)
    {
        yield return path;
        foreach (string prefix in (string[])["model.", "transformer.", "gpt_neox.", "backbone."])
        {
            yield return path.StartsWith(prefix, StringComparison.Ordinal) ? path[prefix.Length..] : prefix + path;
        }

        const string Nested = "model.language_model.";
        if (path.StartsWith(Nested, StringComparison.Ordinal))
        {
            yield return "language_model.model." + path[Nested.Length..];
            yield return "model." + path[Nested.Length..];
        }

        switch (path)
        {
            case "lm_head":
                yield return "language_model.lm_head";
                yield return "embed_out";
                break;
            case "embed_out":
                yield return "lm_head";
                break;
        }
    }

    private static JsonElement TextConfig(JsonElement root, out bool isNested)
    {
        isNested = true;
        foreach (string name in (string[])["text_config", "llm_config", "language_config"])
        {
            if (root.TryGetProperty(name, out JsonElement text) && text.ValueKind == JsonValueKind.Object)
            {
                return text;
            }
        }

        isNested = false;
        return root;
    }

    private static int? FindInt(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) ? number : null;

    /// <summary>The first of some fields that is there.</summary>
    private int? Count(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (FindInt(name) is { } count)
            {
                return count is >= 0 and <= MaximumCount ? count : throw new JsonException($"\"{name}\" is {count}");
            }
        }

        return null;
    }

    private static bool? FindBool(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : null;

    private static string? GetString(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
