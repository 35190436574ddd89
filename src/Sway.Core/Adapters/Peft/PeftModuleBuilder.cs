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

        string key = name.Role == PeftRole.HadamardFactor ? name.Leaf : name.Role.ToString();
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
        Dictionary<string, int> depths = _order.GroupBy(path => PeftTensorName.StripNesting(path, out _), StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
        foreach (string path in _order)
        {
            Dictionary<string, TensorInfo> group = _groups[path];
            if (group.Values.Any(tensor => !tensor.DType.IsReadableFloat()))
            {
                continue;
            }

            string owner = PeftTensorName.StripNesting(path, out int depth);
            LoraModule? module = group.ContainsKey("hada_w1_a") || group.ContainsKey("hada_t1")
                ? Hadamard(path, group)
                : group.ContainsKey(nameof(PeftRole.EmbeddingA)) || group.ContainsKey(nameof(PeftRole.EmbeddingB))
                    ? Embedding(path, group)
                    : Linear(path, owner, depth, depths[owner], group);
            if (module is not null)
            {
                modules.Add(module);
            }
        }

        return modules;
    }

    private void AddExtra(TensorInfo tensor, PeftTensorName name, AdapterExtraKind kind) =>
        Extras.Add(new AdapterExtra(tensor.Name, name.Path, kind, file.Get(tensor)));

    private LoraModule? Linear(string path, string owner, int depth, int levels, Dictionary<string, TensorInfo> group)
    {
        if (!TryPair(path, group, nameof(PeftRole.A), nameof(PeftRole.B), out TensorInfo a, out TensorInfo b))
        {
            return null;
        }

        if (a.Shape.Length != 2 || b.Shape.Length != 2)
        {
            bool convolution = a.Shape.Length > 2 && b.Shape.Length > 2;
            _refusals.Add(
                convolution ? RefusalCategory.ConvolutionTarget : RefusalCategory.ShapeMismatch,
                convolution ? "Convolutions are adapted; mlx-lm can adapt none." : $"Factors are not matrices: {a.ShapeText} and {b.ShapeText}.",
                a.Name, b.Name);
            return null;
        }

        string[] parameters = TargetParameters(owner);
        int plainRank = config.RankOf(owner);
        bool packed = levels > 1 || depth > 0 || (parameters.Length > 0 && parameters.All(p => config.RankOf($"{owner}.{p}") != a.Shape[0]));
        if (packed)
        {
            return Packed(owner, depth, levels, parameters, a, b);
        }

        TensorExpression first = file.Get(a), second = file.Get(b);
        if (config.PeftType == "ADALORA")
        {
            if (!group.TryGetValue(nameof(PeftRole.E), out TensorInfo? e))
            {
                _refusals.Add(RefusalCategory.MissingPair, "AdaLoRA modules lack their lora_E.", path);
                return null;
            }

            if (e.ElementCount != a.Shape[0])
            {
                _refusals.Add(RefusalCategory.ShapeMismatch, $"lora_E {e.ShapeText} does not fit lora_A {a.ShapeText}.", path);
                return null;
            }

            first = first.ScaleAxis(0, file.Get(e).ToDoubleArray());
        }
        else if (!CheckRank(path, a, plainRank, parameters, owner) || !Expand(path, ref first, ref second))
        {
            return null;
        }

        if (first.Shape[0] != second.Shape[1])
        {
            _refusals.Add(RefusalCategory.ShapeMismatch, $"The factors do not fit each other: {a.Name} {a.ShapeText}, {b.Name} {b.ShapeText}.", a.Name, b.Name);
            return null;
        }

        string key = parameters is [var parameter] ? $"{owner}.{parameter}" : owner;
        TensorExpression? magnitude = Magnitude(path, group, second.Shape[0]);
        int rank = checked((int)first.Shape[0]);
        return new LoraModule
        {
            Path = owner,
            Naming = ModuleNaming.HuggingFace,
            Kind = LoraModuleKind.Linear,
            Rank = rank,
            Scaling = rank == 0 ? 1 : config.ScalingOf(key, checked((int)a.Shape[0])),
            A = first,
            B = second,
            Magnitude = magnitude,
            SourceTensors = [.. group.Values.Select(tensor => tensor.Name)],
        };
    }

    private LoraModule? Packed(string owner, int depth, int levels, string[] parameters, TensorInfo a, TensorInfo b)
    {
        if (parameters.Length != levels)
        {
            _refusals.Add(
                RefusalCategory.ExpertLayout,
                $"{levels} pairs of factors lie on {owner}, but the configuration's target_parameters name {parameters.Length} of its parameters.",
                a.Name, b.Name);
            return null;
        }

        string parameter = parameters[levels - 1 - depth];
        int rank = config.RankOf($"{owner}.{parameter}");
        if (a.Shape[0] != b.Shape[1] || a.Shape[0] % rank != 0)
        {
            _refusals.Add(
                a.Shape[0] != b.Shape[1] ? RefusalCategory.ShapeMismatch : RefusalCategory.RankMismatch,
                $"{a.Name} {a.ShapeText} and {b.Name} {b.ShapeText} do not hold factors of rank {rank} for every expert.",
                a.Name, b.Name);
            return null;
        }

        return new LoraModule
        {
            Path = owner,
            Naming = ModuleNaming.HuggingFace,
            Kind = LoraModuleKind.Experts,
            Packing = ExpertPacking.PeftParameter,
            ParameterName = parameter,
            Rank = rank,
            Scaling = config.ScalingOf($"{owner}.{parameter}", rank),
            A = file.Get(a),
            B = file.Get(b),
            SourceTensors = [a.Name, b.Name],
        };
    }

    private LoraModule? Embedding(string path, Dictionary<string, TensorInfo> group)
    {
        if (!TryPair(path, group, nameof(PeftRole.EmbeddingA), nameof(PeftRole.EmbeddingB), out TensorInfo a, out TensorInfo b))
        {
            return null;
        }

        if (group.TryGetValue(nameof(PeftRole.Magnitude), out TensorInfo? magnitude))
        {
            _refusals.Add(
                RefusalCategory.DoraEmbedding, "DoRA on an embedding: PEFT keeps a magnitude for each dimension, mlx-lm one for each token.", magnitude.Name);
            return null;
        }

        if (a.Shape.Length != 2 || b.Shape.Length != 2 || a.Shape[0] != b.Shape[1])
        {
            _refusals.Add(RefusalCategory.ShapeMismatch, $"The factors do not fit each other: {a.Name} {a.ShapeText}, {b.Name} {b.ShapeText}.", a.Name, b.Name);
            return null;
        }

        if (!CheckRank(path, a, config.RankOf(path), [], path))
        {
            return null;
        }

        int rank = checked((int)a.Shape[0]);
        return new LoraModule
        {
            Path = path,
            Naming = ModuleNaming.HuggingFace,
            Kind = LoraModuleKind.Embedding,
            Rank = rank,
            Scaling = config.ScalingOf(path, rank),
            A = file.Get(a),
            B = file.Get(b),
            SourceTensors = [a.Name, b.Name],
        };
    }

    private LoraModule? Hadamard(string path, Dictionary<string, TensorInfo> group)
    {
        if (group.ContainsKey("hada_t1") || group.ContainsKey("hada_t2"))
        {
            _refusals.Add(RefusalCategory.ConvolutionTarget, "LoHa on a convolution (hada_t1, hada_t2) is no matrix product.", path);
            return null;
        }

        string[] names = ["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"];
        if (names.Any(name => !group.ContainsKey(name)))
        {
            _refusals.Add(RefusalCategory.MissingPair, "LoHa modules lack one of their four factors.", [.. group.Values.Select(t => t.Name)]);
            return null;
        }

        TensorInfo[] w = [.. names.Select(name => group[name])];
        bool fits = w.All(t => t.Shape.Length == 2) && w[0].Shape[1] == w[1].Shape[0] && w[2].Shape[1] == w[3].Shape[0]
            && w[0].Shape[0] == w[2].Shape[0] && w[1].Shape[1] == w[3].Shape[1] && w[0].Shape[1] == w[2].Shape[1];
        if (!fits)
        {
            _refusals.Add(RefusalCategory.ShapeMismatch, "LoHa's factors do not fit each other.", [.. w.Select(t => t.Name)]);
            return null;
        }

        if (!CheckRank(path, w[1], config.RankOf(path), [], path))
        {
            return null;
        }

        int rank = checked((int)w[1].Shape[0]);
        return new LoraModule
        {
            Path = path,
            Naming = ModuleNaming.HuggingFace,
            Kind = LoraModuleKind.Linear,
            Rank = checked(rank * rank),
            Scaling = config.ScalingOf(path, rank),
            A = PeftExpansion.HadamardA(file.Get(w[1]), file.Get(w[3])).Cast(DType.F32),
            B = PeftExpansion.HadamardB(file.Get(w[0]), file.Get(w[2])).Cast(DType.F32),
            SourceTensors = [.. w.Select(t => t.Name)],
        };
    }

    private bool TryPair(string path, Dictionary<string, TensorInfo> group, string first, string second, out TensorInfo a, out TensorInfo b)
    {
        bool hasA = group.TryGetValue(first, out TensorInfo? one);
        bool hasB = group.TryGetValue(second, out TensorInfo? two);
        (a, b) = (one!, two!);
        if (hasA && hasB)
        {
            return true;
        }

        _refusals.Add(RefusalCategory.MissingPair, "Modules have only one of their two factors.", group.Values.Select(tensor => tensor.Name).FirstOrDefault() ?? path);
        return false;
    }

    private bool CheckRank(string path, TensorInfo a, int configured, string[] parameters, string owner)
    {
        if (a.Shape[0] == configured || parameters.Any(p => config.RankOf($"{owner}.{p}") == a.Shape[0]))
        {
            return true;
        }

        RefusalCategory category = a.ElementCount == 0 ? RefusalCategory.ShapeMismatch : RefusalCategory.RankMismatch;
        _refusals.Add(category, $"{path} has rank {a.Shape[0]} in the tensors and {configured} in the configuration; PEFT itself cannot load this.", a.Name);
        return false;
    }

    private bool Expand(string path, ref TensorExpression a, ref TensorExpression b)
    {
        if (config.Find("use_bdlora") is { ValueKind: System.Text.Json.JsonValueKind.Object } blocks)
        {
            if (!blocks.TryGetProperty("nblocks", out var count) || !count.TryGetInt32(out int n) || n < 1)
            {
                throw config.Bad("use_bdlora has no whole number nblocks");
            }

            bool onA = Names(blocks, "target_modules_bd_a", path), onB = Names(blocks, "target_modules_bd_b", path);
            if (onA == onB || (onA ? a : b).Shape[0] % n != 0)
            {
                _refusals.Add(RefusalCategory.ShapeMismatch, "BD-LoRA does not say which of the factors is block-diagonal, or the blocks do not divide it.", path);
                return false;
            }

            a = onA ? PeftExpansion.BlockDiagonal(a, n) : a;
            b = onB ? PeftExpansion.BlockDiagonal(b, n) : b;
        }

        if (config.Flag("use_qalora"))
        {
            int group = config.Find("qalora_group_size") is { } size && size.TryGetInt32(out int value) && value > 0 ? value : 16;
            a = PeftExpansion.Grouped(a, group);
        }

        return true;
    }

    private static bool Names(System.Text.Json.JsonElement blocks, string list, string path) =>
        blocks.TryGetProperty(list, out var names) && names.ValueKind == System.Text.Json.JsonValueKind.Array
        && names.EnumerateArray().Any(name => name.ValueKind == System.Text.Json.JsonValueKind.String
            && (path == name.GetString() || path.EndsWith("." + name.GetString(), StringComparison.Ordinal)));

    private TensorExpression? Magnitude(string path, Dictionary<string, TensorInfo> group, long outputs)
    {
        bool stored = group.TryGetValue(nameof(PeftRole.Magnitude), out TensorInfo? magnitude);
        if (!stored && config.UseDora)
        {
            _refusals.Add(RefusalCategory.MissingPair, "The configuration says DoRA, but modules lack their magnitude.", path);
        }

        if (!stored)
        {
            return null;
        }

        if (magnitude!.ElementCount != outputs || magnitude.Shape.Count(size => size != 1) > 1)
        {
            _refusals.Add(RefusalCategory.ShapeMismatch, $"The magnitude {magnitude.ShapeText} does not fit {outputs} outputs.", magnitude.Name);
            return null;
        }

        TensorExpression value = file.Get(magnitude);
        while (value.Rank > 1)
        {
            value = value.Squeeze(value.Shape[0] == 1 && value.Rank > 1 ? 0 : value.Rank - 1);
        }

        return value;
    }

    /// <summary>The parameters of a module that target_parameters names, in the order in which models define them.</summary>
    private string[] TargetParameters(string owner)
    {
        IEnumerable<string> names = config.Strings("target_parameters") ?? [];
        return [.. names
            .Select(name => (Owner: name.Contains('.', StringComparison.Ordinal) ? name[..name.LastIndexOf('.')] : "", Parameter: name[(name.LastIndexOf('.') + 1)..]))
            .Where(target => target.Owner.Length == 0
                ? owner.EndsWith("experts", StringComparison.Ordinal)
                : owner == target.Owner || owner.EndsWith("." + target.Owner, StringComparison.Ordinal))
            .Select(target => target.Parameter)
            .Distinct(StringComparer.Ordinal)
            .OrderBy(parameter => (parameter.Contains("down", StringComparison.Ordinal) || parameter.Contains("output", StringComparison.Ordinal) ? 2 : 0)
                + (parameter.EndsWith("_bias", StringComparison.Ordinal) ? 1 : 0))];
    }
}
