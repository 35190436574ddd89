using System.Globalization;
using System.Text.Json;
using Sway.IO;

namespace Sway.Adapters.Mlx;

/// <summary>
/// What an <c>adapter_config.json</c> of mlx-lm or unsloth records, of any era, read tolerantly: a value of an
/// unexpected JSON type counts as absent, numbers may be written as text.
/// </summary>
public sealed class MlxAdapterConfig
{
    private readonly JsonElement _root;
    private readonly JsonElement _lora;

    private MlxAdapterConfig(JsonElement root)
    {
        _root = root;
        _lora = Member(root, "lora_parameters");
    }

    /// <summary>The whole file, an object; undefined without a file.</summary>
    public JsonElement Root => _root;

    /// <summary><c>lora_parameters</c>; undefined or null where the file has none.</summary>
    public JsonElement LoraParameters => _lora;

    /// <summary>True when there is a configuration file.</summary>
    public bool Exists => _root.ValueKind == JsonValueKind.Object;

    /// <summary><c>fine_tune_type</c>: lora, dora, full.</summary>
    public string? FineTuneType => Text(_root, "fine_tune_type");

    /// <summary><c>use_dora</c> of mlx-lm before October 2024.</summary>
    public bool? UseDora => Member(_root, "use_dora").ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };

    /// <summary><c>num_layers</c>; 0 and negative numbers mean all layers.</summary>
    public int? NumLayers => Integer(_root, "num_layers");

    /// <summary><c>lora_layers</c>, the older name of <c>num_layers</c>.</summary>
    public int? LoraLayers => Integer(_root, "lora_layers");

    /// <summary><c>lora_parameters.rank</c>.</summary>
    public int? Rank => Integer(_lora, "rank");

    /// <summary><c>lora_parameters.scale</c>.</summary>
    public double? Scale => Number(_lora, "scale");

    /// <summary><c>lora_parameters.alpha</c>, which mlx-lm reads only before June 2024.</summary>
    public double? Alpha => Number(_lora, "alpha");

    /// <summary><c>lora_parameters.dropout</c>, the probability to drop.</summary>
    public double? Dropout => Number(_lora, "dropout");

    /// <summary>The copies of rank, scale and dropout at the top level, which unsloth writes for mlx-vlm.</summary>
    public (int? Rank, double? Scale, double? Dropout) Mirrors =>
        (Integer(_root, "rank"), Number(_root, "scale"), Number(_root, "dropout"));

    /// <summary><c>lora_parameters.keys</c>: null when absent, which is not the same as an empty list.</summary>
    public IReadOnlyList<string>? Keys => TextList(_lora, "keys");

    /// <summary>unsloth's list of adapted modules: null when absent.</summary>
    public IReadOnlyList<string>? ModulePaths => TextList(_root, "unsloth_mlx_lora_module_paths");

    /// <summary>unsloth's rank of each module.</summary>
    public IReadOnlyDictionary<string, double> ModuleRanks => NumberMap("unsloth_mlx_lora_module_ranks");

    /// <summary>unsloth's scale of each module.</summary>
    public IReadOnlyDictionary<string, double> ModuleScales => NumberMap("unsloth_mlx_lora_module_scales");

    /// <summary>True when the modules have scales of their own; <see cref="Scale"/> is then that of the first module.</summary>
    public bool HasModuleScales => Member(_root, "unsloth_mlx_lora_module_scales") is { ValueKind: JsonValueKind.Object } map && map.EnumerateObject().Any();

    /// <summary>PEFT's <c>lora_alpha / r</c> (or <c>/ sqrt(r)</c> with rsLoRA) where both fields are recorded.</summary>
    public double? PeftScale => Number(_root, "lora_alpha") is { } alpha && Number(_root, "r") is > 0 and { } rank
        ? alpha / (Member(_root, "use_rslora").ValueKind == JsonValueKind.True ? Math.Sqrt(rank) : rank)
        : null;

    /// <summary>The base model: unsloth's field, else the <c>model</c> argument that mlx-lm records.</summary>
    public string? BaseModelName => Text(_root, "base_model_name_or_path") ?? Text(_root, "model");

    /// <summary>Reads a file; without one everything is absent.</summary>
    /// <exception cref="AdapterFormatException">The file is not a JSON object.</exception>
    public static MlxAdapterConfig Read(string? path)
    {
        if (path is null)
        {
            return new MlxAdapterConfig(default);
        }

        try
        {
            JsonElement root = JsonFile.Read(path);
            return root.ValueKind == JsonValueKind.Object
                ? new MlxAdapterConfig(root)
                : throw new AdapterFormatException($"{path} is not a JSON object.") { Path = path };
        }
        catch (JsonException e)
        {
            throw new AdapterFormatException($"{path} is not valid JSON: {e.Message}", e) { Path = path, Offset = e.BytePositionInLine };
        }
    }

    private static JsonElement Member(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out JsonElement value) ? value : default;

    private static string? Text(JsonElement parent, string name) =>
        Member(parent, name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    private static double? Number(JsonElement parent, string name) => ToNumber(Member(parent, name));

    private static double? ToNumber(JsonElement value)
    {
        // unsloth's scale may be one value for each expert; it writes the same one for all.
        if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0)
        {
            double?[] all = [.. value.EnumerateArray().Select(ToNumber).Distinct()];
            return all is [{ } same] ? same : null;
        }

        return value.ValueKind switch
        {
            JsonValueKind.Number when value.TryGetDouble(out double number) && double.IsFinite(number) => number,
            JsonValueKind.String when double.TryParse(value.GetString(), NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
                && double.IsFinite(number) => number,
            _ => null,
        };
    }

    private static int? Integer(JsonElement parent, string name) =>
        Number(parent, name) is { } number && number == Math.Truncate(number) && Math.Abs(number) <= int.MaxValue ? (int)number : null;

    private static List<string>? TextList(JsonElement parent, string name)
    {
        JsonElement value = Member(parent, name);
        return value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.String).Select(item => item.GetString()!)]
            : null;
    }

    private Dictionary<string, double> NumberMap(string name)
    {
        var map = new Dictionary<string, double>(StringComparer.Ordinal);
        if (Member(_root, name) is { ValueKind: JsonValueKind.Object } value)
        {
            foreach (JsonProperty entry in value.EnumerateObject())
            {
                if (ToNumber(entry.Value) is { } number)
                {
                    map[entry.Name] = number;
                }
            }
        }

        return map;
    }
}
