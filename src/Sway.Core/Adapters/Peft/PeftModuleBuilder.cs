using Sway.Tensors;

namespace Sway.Adapters.Peft;

/// <summary>Gathers the tensors of each module and makes neutral modules of them, noting everything that does not fit.</summary>
internal sealed class PeftModuleBuilder(TensorFile file, PeftConfig config)
{
    private readonly Dictionary<string, Dictionary<string, TensorInfo>> _groups = new(StringComparer.Ordinal);
    private readonly List<string> _order = [];
    private readonly RefusalList _refusals = new();

    public List<AdapterExtra> Extras { get; } = [];

    public IReadOnlyList<Refusal> Refusals => _refusals.ToList();

    public void Add(TensorInfo tensor, PeftTensorName name)
    {
        switch (name.Role)
        {
            case PeftRole.Unknown:
                _refusals.Add(RefusalCategory.UnknownTensor, "Tensors of the file belong to no known part of a LoRA adapter.", tensor.Name);
                return;
            case PeftRole.Buffer:
                AddExtra(tensor, name, AdapterExtraKind.TrainingBuffer);
                return;
            case PeftRole.BaseCopy:
                AddExtra(tensor, name, AdapterExtraKind.BaseLayerCopy);
                return;
            case PeftRole.FullWeight:
                AddExtra(tensor, name, AdapterExtraKind.FullWeight);
                return;
            case PeftRole.Bias:
                // A bias beside a targeted module whose base copy is saved is frozen unless the configuration trains biases.
                AddExtra(tensor, name, name.Adapter == "base_layer" && !config.IsSet("bias") ? AdapterExtraKind.BaseLayerCopy : AdapterExtraKind.BaseBias);
                return;
            case PeftRole.TokenRows:
                AddExtra(tensor, name, AdapterExtraKind.TokenRows);
                return;
            case PeftRole.BBias:
                AddExtra(tensor, name, AdapterExtraKind.LoraBias);
                return;
            case PeftRole.Diagonal:
                _refusals.Add(RefusalCategory.MutatedBase, "KaSA's diagonal comes with truncated base weights.", tensor.Name);
                return;
        }

        if (!_groups.TryGetValue(name.Path, out Dictionary<string, TensorInfo>? group))
        {
            _groups.Add(name.Path, group = new Dictionary<string, TensorInfo>(StringComparer.Ordinal));
            _order.Add(name.Path);
        }

        string key = name.Role == PeftRole.HadamardFactor ? name.Leaf : name.Role.Key();
        if (!group.TryAdd(key, tensor))
        {
            _refusals.Add(RefusalCategory.DuplicateModule, "Two spellings of a name give the same tensor of the same module.", group[key].Name, tensor.Name);
        }

        if (!tensor.DType.IsReadableFloat())
        {
            _refusals.Add(RefusalCategory.UnsupportedDType, $"Factors are stored as {tensor.DType.SafetensorsName()}, which is no number type of LoRA factors.", tensor.Name);
        }
    }

    public IReadOnlyList<LoraModule> Build()
    {
        var modules = new List<LoraModule>();
        var depths = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (string path in _order)
        {
            string owner = PeftTensorName.StripNesting(path, out _);
            depths[owner] = depths.TryGetValue(owner, out int depth) ? depth + 1 : 1;
        }

        foreach (string path in _order)
        {
            Dictionary<string, TensorInfo> group = _groups[path];
            if (!AllReadable(group))
            {
                continue;
            }

            string owner = PeftTensorName.StripNesting(path, out int depth);
            var tensors = new PeftModuleTensors(path, group, file, config, _refusals);
            LoraModule? module = HasHadamardFactor(group) ? PeftHadamardReader.Read(tensors)
                : group.ContainsKey(nameof(PeftRole.EmbeddingA)) || group.ContainsKey(nameof(PeftRole.EmbeddingB)) ? PeftEmbeddingReader.Read(tensors)
                : PeftLinearReader.Read(tensors, owner, depth, depths[owner]);
            if (module is not null)
            {
                modules.Add(module);
            }
        }

        return modules;
    }

    private static bool AllReadable(Dictionary<string, TensorInfo> group)
    {
        foreach (TensorInfo tensor in group.Values)
        {
            if (!tensor.DType.IsReadableFloat())
            {
                return false;
            }
        }

        return true;
    }

    private static bool HasHadamardFactor(Dictionary<string, TensorInfo> group)
    {
        foreach (string key in group.Keys)
        {
            if (key.StartsWith("hada_", StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    private void AddExtra(TensorInfo tensor, PeftTensorName name, AdapterExtraKind kind) =>
        Extras.Add(new AdapterExtra(tensor.Name, name.Path, kind, file.Get(tensor)));
}
