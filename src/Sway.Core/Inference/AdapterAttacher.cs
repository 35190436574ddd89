using Sway.Adapters;
using Sway.Architectures;

namespace Sway.Inference;

/// <summary>Binds a neutral adapter to a decoder's modules, or refuses what would not be computed exactly.</summary>
internal sealed class AdapterAttacher
{
    private readonly Decoder _decoder;
    private readonly LoraAdapter _adapter;
    private readonly AttachedAdapter _attached = new();
    private readonly Dictionary<LoadedLinear, LinearDeltaParts> _parts = [];
    private readonly ExpertAttacher _experts;
    private readonly ModuleMap? _map;

    public AdapterAttacher(Decoder decoder, LoraAdapter adapter)
    {
        _decoder = decoder;
        _adapter = adapter;
        _experts = new ExpertAttacher(decoder, adapter);
        _map = ModuleMaps.Find(decoder.Spec.ModelType);
    }

    /// <summary>Binds everything.</summary>
    /// <exception cref="AdapterFormatException">A module is unknown to the model, a shape differs, or a number is not finite.</exception>
    public AttachedAdapter Attach()
    {
        // What only another format cannot express is computed here; every other obstacle stands.
        Refusal[] obstacles = [.. _adapter.Obstacles.Where(obstacle => !IsComputed(obstacle.Category))];
        if (obstacles.Length > 0)
        {
            throw new ConversionRefusedException(_adapter.Path, obstacles);
        }

        foreach (var module in _adapter.Modules)
        {
            Module(module);
        }

        foreach (var extra in _adapter.Extras)
        {
            Extra(extra);
        }

        foreach (var (linear, parts) in _parts)
        {
            _attached.Linears[linear] = parts.Finish(_decoder.Engine, linear, _adapter.Path);
        }

        _experts.Finish(_attached);
        return _attached;
    }

    private static bool IsComputed(RefusalCategory category) => category is RefusalCategory.LoraBias or RefusalCategory.BiasTrained
        or RefusalCategory.ModulesToSave or RefusalCategory.TiedEmbedding or RefusalCategory.TiedHead
        or RefusalCategory.MixedDora or RefusalCategory.AlreadyMlx;

    private void Module(LoraModule module)
    {
        var a = Finite.Read(_adapter, module, module.A, "A");
        var b = Finite.Read(_adapter, module, module.B, "B");
        if (_experts.TryAdd(module, a, b))
        {
            return;
        }

        if (module.Kind == LoraModuleKind.Embedding)
        {
            Embedding(module, a, b);
            return;
        }

        var linear = Find(module.Path) ?? throw Refuse($"the model has no linear layer \"{module.Path}\"", module.SourceTensors);
        var (outputs, inputs) = (linear.Spec.Outputs, linear.Spec.Inputs);
        if (a.Length != (long)module.Rank * inputs || b.Length != (long)outputs * module.Rank)
        {
            throw Refuse($"\"{module.Path}\" has {outputs} x {inputs} weights, which the factors do not fit", module.SourceTensors);
        }

        var parts = Parts(linear);
        parts.Terms.Add((a, b, module.Rank, module.Scaling));
        if (module.Magnitude is { } magnitude)
        {
            if (parts.Magnitude is not null)
            {
                throw Refuse($"\"{module.Path}\" has two magnitudes", module.SourceTensors);
            }

            parts.Magnitude = Finite.Read(_adapter, module, magnitude, "magnitude");
            if (parts.Magnitude.Length != outputs)
            {
                throw Refuse($"\"{module.Path}\" has {outputs} outputs and {parts.Magnitude.Length} magnitudes", module.SourceTensors);
            }
        }
    }

    private void Embedding(LoraModule module, float[] a, float[] b)
    {
        var spec = _decoder.Spec;
        if (Find(module.Path) != _decoder.Embedding || module.Magnitude is not null || _attached.Embedding is not null
            || a.Length != (long)module.Rank * spec.VocabularySize || b.Length != (long)spec.HiddenSize * module.Rank)
        {
            throw Refuse($"the embedding \"{module.Path}\" does not fit the model's", module.SourceTensors);
        }

        var engine = _decoder.Engine;
        var table = Transpose(a, module.Rank, spec.VocabularySize);
        _attached.Embedding = new EmbeddingDelta
        {
            Table = engine.Matrix(table, spec.VocabularySize, module.Rank),
            B = engine.Matrix(b, spec.HiddenSize, module.Rank),
            Scaling = module.Scaling,
        };
        if (module.AlsoChangesTiedHead && spec.TiedHead)
        {
            // The table changes by (B A)^T, so the head's logits by A^T B^T x.
            var head = _decoder.Weights.Linears[spec.Head.Module];
            Parts(head).Terms.Add((Transpose(b, spec.HiddenSize, module.Rank), table, module.Rank, module.Scaling));
        }
    }

    private void Extra(AdapterExtra extra)
    {
        if (extra.Kind is AdapterExtraKind.TrainingBuffer)
        {
            return;
        }

        var linear = Find(extra.Path);
        if (linear is not null && extra.Kind is AdapterExtraKind.BaseLayerCopy)
        {
            if (BaseCopy.Difference(_decoder.Engine, linear, extra, !_decoder.Weights.IsQuantized) is { } difference)
            {
                throw Refuse($"\"{extra.Name}\" is a copy of another base: {difference}", [extra.Name]);
            }

            return;
        }

        if (linear is null || extra.Kind is AdapterExtraKind.Unknown or AdapterExtraKind.TokenRows)
        {
            throw Refuse($"\"{extra.Name}\" ({extra.Kind}) cannot be applied to the model", [extra.Name]);
        }

        var values = Finite.Check(_adapter, extra.Value.ToSingleArray(), extra.Name);
        var expected = extra.Kind == AdapterExtraKind.FullWeight ? (long)linear.Spec.Outputs * linear.Spec.Inputs : linear.Spec.Outputs;
        if (values.Length != expected)
        {
            throw Refuse($"\"{extra.Name}\" has {values.Length} numbers, the model's has {expected}", [extra.Name]);
        }

        switch (extra.Kind)
        {
            case AdapterExtraKind.LoraBias:
                Parts(linear).TermBias = values;
                break;
            case AdapterExtraKind.BaseBias:
                Parts(linear).TrainedBias = values;
                break;
            default:
                Replace(linear, values, extra.Name);
                break;
        }
    }

    private void Replace(LoadedLinear linear, float[] values, string name)
    {
        if (linear == _decoder.Embedding && _decoder.Spec.TiedHead)
        {
            throw Refuse($"\"{name}\" replaces an embedding that the head shares; which of them it means is not recorded", [name]);
        }

        if (linear.Spec.Transposed)
        {
            values = Transpose(values, linear.Spec.Inputs, linear.Spec.Outputs);
        }

        var matrix = _decoder.Engine.Matrix(values, linear.Spec.Outputs, linear.Spec.Inputs);
        if (linear == _decoder.Embedding)
        {
            _attached.Embedding = new EmbeddingDelta { Replacement = matrix };
        }
        else
        {
            Parts(linear).Replacement = matrix;
        }
    }

    private LinearDeltaParts Parts(LoadedLinear linear)
    {
        if (!_parts.TryGetValue(linear, out var parts))
        {
            _parts[linear] = parts = new LinearDeltaParts();
        }

        return parts;
    }

    private LoadedLinear? Find(string path)
    {
        var linears = _decoder.Weights.Linears;
        if (linears.TryGetValue(path, out var found))
        {
            return found;
        }

        // Embedding and head by the other names that their formats give them.
        return path switch
        {
            "lm_head" or "embed_out" or "model.embed_out" => linears.GetValueOrDefault(_decoder.Spec.Head.Module),
            _ => linears.GetValueOrDefault(ModuleAliases.Translate(path)) ?? FindByMap(path),
        };
    }

    // A module by its mlx-lm name, where the architecture has another one there.
    private LoadedLinear? FindByMap(string path) => _map?.FindMlx(path)
        .Where(match => match.Rule.Rows.IsAll && !match.Rule.HasMultipliers)
        .Select(match => _decoder.Weights.Linears.GetValueOrDefault(match.Path)
            ?? _decoder.Weights.Linears.GetValueOrDefault(match.Path.Replace(".language_model.", ".", StringComparison.Ordinal)))
        .FirstOrDefault(linear => linear is not null);

    private AdapterFormatException Refuse(string reason, IReadOnlyList<string> tensors) =>
        LinearDeltaParts.Refuse(_adapter.Path, reason, tensors);

    private static float[] Transpose(float[] values, int rows, int columns)
    {
        var result = new float[values.Length];
        for (var r = 0; r < rows; r++)
        {
            for (var c = 0; c < columns; c++)
            {
                result[((long)c * rows) + r] = values[((long)r * columns) + c];
            }
        }

        return result;
    }
}
