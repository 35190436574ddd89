using System.Text.Json.Nodes;
using Sway.Adapters;
using Sway.Conversion;
using Sway.Tensors;

namespace Sway.Unit.Support;

/// <summary>Small adapters and bases of known numbers, written for one test.</summary>
internal sealed class AdapterFiles : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, TensorExpression> _tensors = new(StringComparer.Ordinal);
    private int _seed;

    public AdapterFiles(string config)
    {
        Config = JsonNode.Parse(config)!.AsObject();
    }

    public JsonObject Config { get; }

    /// <summary>A PEFT configuration of rank 2 and alpha 4 with more fields.</summary>
    public static AdapterFiles Peft(string fields = "") =>
        new($$"""{ "peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]{{(fields.Length > 0 ? "," + fields : "")}} }""");

    /// <summary>An mlx-lm configuration of rank 2 and scale 2 with more fields.</summary>
    public static AdapterFiles Mlx(string fields = "") => new(
        $$"""{ "fine_tune_type": "lora", "num_layers": 2, "lora_parameters": { "rank": 2, "scale": 2.0, "dropout": 0.0 }{{(fields.Length > 0 ? "," + fields : "")}} }""");

    /// <summary>Adds a tensor of numbers that differ from tensor to tensor.</summary>
    public AdapterFiles Add(string name, params long[] shape)
    {
        int start = ++_seed;
        int count = (int)shape.Aggregate(1L, (product, size) => product * size);
        return Add(name, MemoryTensor.Of([.. Enumerable.Range(0, count).Select(i => MathF.Sin((start * 7.1f) + i))], shape));
    }

    public AdapterFiles Add(string name, TensorExpression value)
    {
        _tensors.Add(name, value);
        return this;
    }

    public TensorExpression this[string name] => _tensors[name];

    /// <summary>Adds a pair of PEFT's for a linear layer of 6 outputs and 4 inputs.</summary>
    public AdapterFiles AddPair(string path, string suffix = ".weight", long outputs = 6, long inputs = 4) =>
        Add($"{path}.lora_A{suffix}", 2, inputs).Add($"{path}.lora_B{suffix}", outputs, 2);

    /// <summary>Adds a pair of mlx-lm's.</summary>
    public AdapterFiles AddMlxPair(string path, long outputs = 6, long inputs = 4) =>
        Add($"{path}.lora_a", inputs, 2).Add($"{path}.lora_b", 2, outputs);

    /// <summary>Writes the adapter as PEFT names its files, or as mlx-lm does.</summary>
    /// <returns>The adapter's folder.</returns>
    public string Write(string folder = "adapter")
    {
        bool mlx = Config.ContainsKey("lora_parameters");
        string path = Path.Combine(_folder.Path, folder);
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, "adapter_config.json"), Config.ToJsonString());
        WriteTensors(Path.Combine(path, mlx ? "adapters.safetensors" : "adapter_model.safetensors"), _tensors);
        return path;
    }

    /// <summary>Writes a base model with a configuration and, when there are any, weights.</summary>
    public string WriteBase(string config, params (string Name, long[] Shape)[] weights)
    {
        string path = Path.Combine(_folder.Path, "base");
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, "config.json"), config);
        if (weights.Length > 0)
        {
            WriteTensors(Path.Combine(path, "model.safetensors"), weights.ToDictionary(weight => weight.Name, weight => MemoryTensor.Range(weight.Shape), StringComparer.Ordinal));
        }

        return path;
    }

    /// <summary>A place for an output.</summary>
    public string Output => Path.Combine(_folder.Path, "output");

    public static ConversionPlan Plan(string path, ConversionTarget target = ConversionTarget.Mlx, string? baseModel = null, ConversionOptions? options = null) =>
        AdapterConverter.Plan(path, (options ?? new ConversionOptions()) with { Target = target, BaseModel = baseModel, NoBaseLookup = baseModel is null });

    /// <summary>The categories of the refusal that an action ends in.</summary>
    public static IReadOnlyList<RefusalCategory> Refusals(Func<IDisposable> action) =>
        [.. Assert.Throws<ConversionRefusedException>(() => action().Dispose()).Refusals.Select(refusal => refusal.Category)];

    public void Dispose() => _folder.Dispose();

    private static void WriteTensors(string path, Dictionary<string, TensorExpression> tensors)
    {
        File.Delete(path);
        SafetensorsWriter.Write(path, [.. tensors.Select(entry => new PlannedTensor(entry.Key, entry.Value))]);
    }
}
