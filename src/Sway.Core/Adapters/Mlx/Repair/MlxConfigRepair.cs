using System.Globalization;
using System.Text.Json.Nodes;
using Sway.IO;

namespace Sway.Adapters.Mlx.Repair;

/// <summary>Sets the fields that mlx-lm reads, and keeps an account of every change.</summary>
internal sealed class MlxConfigRepair
{
    private readonly MlxAdapterConfig _config;
    private readonly List<RepairedField> _fields = [];

    public MlxConfigRepair(MlxAdapterConfig config)
    {
        _config = config;
        Document = config.Exists ? JsonFile.ToNode(config.Root)!.AsObject() : [];
    }

    /// <summary>The configuration as it will be written.</summary>
    public JsonObject Document { get; }

    public IReadOnlyList<RepairedField> Fields => _fields;

    /// <summary>Sets everything from what the tensors and the base say.</summary>
    /// <param name="facts">What the configuration has to say.</param>
    public void Apply(RepairFacts facts)
    {
        Set("fine_tune_type", JsonValue.Create(facts.Method), "the tensors' names");
        SetNumLayers(facts);
        JsonObject lora = LoraParameters();
        SetIn(lora, "rank", JsonValue.Create(facts.Rank), facts.RankOrigin);
        SetIn(lora, "scale", JsonValue.Create(facts.Scale), facts.ScaleOrigin);
        if (_config.Dropout is null or < 0 or >= 1)
        {
            bool mirrored = _config.Mirrors.Dropout is >= 0 and < 1;
            SetIn(
                lora,
                "dropout",
                JsonValue.Create(mirrored ? _config.Mirrors.Dropout!.Value : 0.0),
                mirrored ? "top-level dropout" : "nothing; it has no effect on a trained adapter");
        }
        else
        {
            SetIn(lora, "dropout", JsonValue.Create(_config.Dropout.Value), "its own value as a number");
        }

        RemoveIn(lora, "alpha", "mlx-lm of today does not read it; the scale holds the whole factor");
        SetKeys(lora, facts);
        UpdateMirrors(facts);
    }

    private void SetNumLayers(RepairFacts facts)
    {
        Set("num_layers", JsonValue.Create(facts.NumLayers), facts.NumLayersOrigin);
        Remove("lora_layers", "its name is num_layers today");
        Remove("use_dora", "its name is fine_tune_type today");
    }

    private void SetKeys(JsonObject lora, RepairFacts facts)
    {
        if (!KeysAreExact(facts))
        {
            SetIn(lora, "keys", ToArray(facts.Modules), "the tensors' names");
        }

        // unsloth wraps exactly these paths, so an incomplete list would lose modules there.
        if (_config.ModulePaths is { } paths && !facts.Modules.ToHashSet(StringComparer.Ordinal).SetEquals(paths))
        {
            Set("unsloth_mlx_lora_module_paths", ToArray(facts.Modules), "the tensors' names");
        }
    }

    /// <summary>True when the recorded keys reach every module with tensors, once, and nothing else that is known.</summary>
    private bool KeysAreExact(RepairFacts facts)
    {
        if (_config.Keys is not { Count: > 0 } keys || facts.LayerCount is not { } layers)
        {
            return false;
        }

        var modules = facts.Modules.ToHashSet(StringComparer.Ordinal);
        var reached = new HashSet<string>(StringComparer.Ordinal);
        int first = facts.NumLayers > 0 ? Math.Max(layers - facts.NumLayers, 0) : 0;
        foreach (string module in modules)
        {
            bool absolute = keys.Contains(module, StringComparer.Ordinal);
            bool relative = MlxModuleNames.InLayer(module) is { } place && place.Layer >= first && keys.Contains(place.Name, StringComparer.Ordinal);
            if (absolute == relative)
            {
                return false;
            }

            reached.Add(module);
        }

        int expected = keys.Count(modules.Contains)
            + (keys.Count(key => !modules.Contains(key) && modules.Any(module => MlxModuleNames.InLayer(module)?.Name == key)) * (layers - first));
        bool allUsed = keys.All(key => modules.Contains(key) || modules.Any(module => MlxModuleNames.InLayer(module)?.Name == key));
        return allUsed && expected == reached.Count;
    }

    private void UpdateMirrors(RepairFacts facts)
    {
        const string Origin = "lora_parameters, which it mirrors";
        if (_config.Mirrors.Rank is not null)
        {
            Set("rank", JsonValue.Create(facts.Rank), Origin);
        }

        if (_config.Mirrors.Scale is not null)
        {
            Set("scale", JsonValue.Create(facts.Scale), Origin);
        }

        if (facts.OneRankAndScale)
        {
            foreach (string name in (ReadOnlySpan<string>)["unsloth_mlx_lora_module_ranks", "unsloth_mlx_lora_module_scales", "unsloth_mlx_requires_unsloth_loader"])
            {
                Remove(name, "the tensors have one rank and one scale now");
            }
        }
    }

    private JsonObject LoraParameters()
    {
        if (Document["lora_parameters"] is JsonObject existing)
        {
            return existing;
        }

        var lora = new JsonObject();
        Document["lora_parameters"] = lora;
        return lora;
    }

    private void Set(string name, JsonNode value, string origin) => SetIn(Document, name, value, origin);

    private void SetIn(JsonObject parent, string name, JsonNode value, string origin)
    {
        string? before = parent.TryGetPropertyValue(name, out JsonNode? node) ? node?.ToJsonString() ?? "null" : null;
        string after = value.ToJsonString();
        if (before == after || (before is not null && SameNumber(node, value)))
        {
            return;
        }

        parent[name] = value;
        _fields.Add(new RepairedField(Name(parent, name), before, after, origin));
    }

    private void Remove(string name, string origin) => RemoveIn(Document, name, origin);

    private void RemoveIn(JsonObject parent, string name, string origin)
    {
        if (parent.TryGetPropertyValue(name, out JsonNode? node))
        {
            parent.Remove(name);
            _fields.Add(new RepairedField(Name(parent, name), node?.ToJsonString() ?? "null", null, origin));
        }
    }

    private string Name(JsonObject parent, string name) => ReferenceEquals(parent, Document) ? name : "lora_parameters." + name;

    // 4 and 4.0 are the same scale, but mlx needs a rank without a fraction, whose text then differs in more than its value.
    private static bool SameNumber(JsonNode? before, JsonNode after) =>
        before is JsonValue value && value.GetValueKind() == System.Text.Json.JsonValueKind.Number && after is JsonValue next
        && next.TryGetValue(out double wanted)
        && double.TryParse(value.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture, out double given) && given == wanted;

    private static JsonArray ToArray(IEnumerable<string> texts) => [.. texts.Select(text => (JsonNode?)JsonValue.Create(text))];
}

/// <summary>What the tensors, the base model and the user say of an adapter.</summary>
internal sealed record RepairFacts
{
    public required string Method { get; init; }

    public required int Rank { get; init; }

    public required string RankOrigin { get; init; }

    public required double Scale { get; init; }

    public required string ScaleOrigin { get; init; }

    public required int NumLayers { get; init; }

    public required string NumLayersOrigin { get; init; }

    /// <summary>The base model's number of layers, when it is known.</summary>
    public required int? LayerCount { get; init; }

    /// <summary>The paths of all modules with tensors.</summary>
    public required IReadOnlyList<string> Modules { get; init; }

    /// <summary>True when tensors were rewritten to one rank and one scale.</summary>
    public required bool OneRankAndScale { get; init; }
}
