using System.Globalization;

namespace Sway.Adapters.Megatron;

/// <summary>
/// The fields of a Megatron-Bridge <c>run_config.yaml</c> that decide names, splits and scales. Absent and null fields
/// are null here; a field of the wrong kind is an error, because a default in its place would give wrong numbers.
/// </summary>
internal sealed class MegatronRunConfig
{
    private readonly YamlNode _root;
    private readonly string _path;

    private MegatronRunConfig(YamlNode root, string path)
    {
        _root = root;
        _path = path;
    }

    /// <summary>The class of the adapter, for example <c>megatron.bridge.peft.lora.LoRA</c>.</summary>
    public string? AdapterType => Text(_root["peft"], "_target_");

    public double? Alpha => Number(_root["peft"], "alpha");

    public double? Dropout => Number(_root["peft"], "dropout");

    public bool SharedOuterExperts => Flag(_root["peft"], "experts_shared_outer_loras") ?? false;

    public string? CheckpointFormat => Text(_root["checkpoint"], "ckpt_format");

    /// <summary>The base model as the run knew it: a repository or a folder of the training machine.</summary>
    public string? BaseModelName => Text(Model("extra_checkpoint_metadata"), "hf_model_id") ?? ModelText("hf_model_id");

    public long? TensorParallelSize => ModelInteger("tensor_model_parallel_size");

    /// <summary>Reads the file beside the shards or in the folder above; null when there is none.</summary>
    public static MegatronRunConfig? Find(string folder)
    {
        foreach (string? place in (ReadOnlySpan<string?>)[folder, System.IO.Path.GetDirectoryName(folder)])
        {
            string path = System.IO.Path.Combine(place ?? folder, "run_config.yaml");
            if (File.Exists(path))
            {
                return new MegatronRunConfig(YamlReader.Read(path), path);
            }
        }

        return null;
    }

    public long? ModelInteger(string name)
    {
        YamlNode node = Model(name);
        return Scalar(node, name) is not { } text ? null
            : long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) ? value
            : throw Wrong(name, text);
    }

    public bool? ModelFlag(string name) => Flag(Model(name), null, name);

    private string? ModelText(string name) => Scalar(Model(name), name);

    // The model is flat, or split between the builder's own fields and those of the transformer.
    private YamlNode Model(string name)
    {
        YamlNode model = _root["model"];
        return model["transformer"].Fields.TryGetValue(name, out YamlNode? inner) ? inner : model[name];
    }

    private string? Text(YamlNode section, string name) => Scalar(section[name], name);

    private double? Number(YamlNode section, string name) => Scalar(section[name], name) is not { } text ? null
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value) ? value
        : throw Wrong(name, text);

    private bool? Flag(YamlNode section, string? field, string? name = null) =>
        Scalar(field is null ? section : section[field], field ?? name!) is not { } text ? null
        : text is "true" ? true
        : text is "false" ? false
        : throw Wrong(field ?? name!, text);

    private string? Scalar(YamlNode node, string name) =>
        node.IsOpaque || node.Fields.Count > 0 || node.Items.Count > 0 ? throw Wrong(name, "something that is no single value") : node.Text;

    private AdapterFormatException Wrong(string name, string text) => new($"{_path}: {name} is {text}.") { Path = _path };
}
