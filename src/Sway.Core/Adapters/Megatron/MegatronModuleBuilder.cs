using Sway.Tensors;

namespace Sway.Adapters.Megatron;

/// <summary>Turns the adapters of a checkpoint into neutral modules under Hugging Face paths, or, without a base model, as they are.</summary>
internal sealed class MegatronModuleBuilder(
    TensorFile file, MegatronNameMap? names, MegatronGeometry geometry, double alpha, RefusalList refusals, RefusalList obstacles)
{
    private readonly MegatronRowSplitter _splitter = new(geometry, refusals);
    private readonly List<(long Layer, LoraModule Module)> _modules = [];

    /// <summary>The modules by layer, in the file's order within a layer.</summary>
    public IReadOnlyList<LoraModule> Modules => [.. _modules.OrderBy(item => item.Layer).Select(item => item.Module)];

    /// <summary>Adds the modules of one adapter.</summary>
    public void Add(MegatronTensorGroup group)
    {
        if (group.Path.StartsWith("mtp.", StringComparison.Ordinal) || group.Path.Contains(".mtp.", StringComparison.Ordinal))
        {
            obstacles.Add(RefusalCategory.UnmappableModule, "Layers for multi-token prediction have no counterpart in the base model.", group.TensorNames);
            return;
        }

        if (group.Path.Contains("vision_model.", StringComparison.Ordinal) || group.Path.Contains("audio_model.", StringComparison.Ordinal))
        {
            obstacles.Add(RefusalCategory.VisionTarget, "Only adapters on the language model are converted.", group.TensorNames);
            return;
        }

        if (!group.Path.Contains("layers.", StringComparison.Ordinal))
        {
            refusals.Add(RefusalCategory.UnknownModule, "Only adapters on the layers of the decoder have known names.", group.TensorNames);
            return;
        }

        if (group.Read(file, refusals) is not { } tensors || !CheckShapes(group, tensors.A, tensors.B, tensors.Magnitude))
        {
            return;
        }

        (TensorExpression a, TensorExpression b, TensorExpression? magnitude) = tensors;
        long layers = group.HasLayerAxis ? a.Shape[0] : 1;
        if (geometry.LayerCount is { } count && (group.HasLayerAxis ? layers != count : group.Layer >= count))
        {
            refusals.Add(RefusalCategory.ShapeMismatch, $"The checkpoint's layers are not the {count} of the base model.", group.TensorNames);
            return;
        }

        for (long i = 0; i < layers; i++)
        {
            long layer = group.Layer ?? i;
            if (group.HasLayerAxis)
            {
                AddLayer(group, layer, a.Index(0, i), b.Index(0, i), magnitude?.Index(0, i));
            }
            else
            {
                AddLayer(group, layer, a, b, magnitude);
            }
        }
    }

    private void AddLayer(MegatronTensorGroup group, long layer, TensorExpression a, TensorExpression b, TensorExpression? magnitude)
    {
        if (names is null)
        {
            AddUnnamed(group, layer, a, b, magnitude);
            return;
        }

        if (!group.IsExperts)
        {
            AddLinear(group, layer, group.PathOf(layer, null), a, b, magnitude);
            return;
        }

        // Bridge 0.3 saves an adapter that all experts share once; later versions write it for every expert.
        bool perExpert = a.Rank == 3;
        long? experts = perExpert ? a.Shape[0] : geometry.ExpertCount;
        if (experts is not (> 0 and <= 1 << 16) || (geometry.ExpertCount is { } known && known != experts))
        {
            refusals.Add(RefusalCategory.ShapeMismatch, "The number of experts is not known, or not that of the model.", group.TensorNames);
            return;
        }

        for (long expert = 0; expert < experts; expert++)
        {
            string path = group.PathOf(layer, expert);
            AddLinear(group, layer, path, perExpert ? a.Index(0, expert) : a, perExpert ? b.Index(0, expert) : b, magnitude);
        }
    }

    private void AddLinear(MegatronTensorGroup group, long layer, string path, TensorExpression a, TensorExpression b, TensorExpression? magnitude)
    {
        if (names!.Find(path) is not { } target)
        {
            refusals.Add(RefusalCategory.UnknownModule, "The base model's architecture has no rule for this layer.", path);
            return;
        }

        if (target.Rule is RowRule.Qkv && geometry.HiddenSize is { } hidden && a.Shape[1] != hidden)
        {
            refusals.Add(RefusalCategory.ShapeMismatch, $"The first factor has {a.Shape[1]} columns and the model is {hidden} wide.", path);
            return;
        }

        if (_splitter.Split(group, path, target, b.Shape[0], magnitude is not null) is not { } split)
        {
            return;
        }

        for (int i = 0; i < split.Names.Count; i++)
        {
            _modules.Add((layer, Module(group, split.Names[i], ModuleNaming.HuggingFace, LoraModuleKind.Linear, a, FusedRows.Take(b, split.Rows[i])) with
            {
                Magnitude = magnitude is null ? null : FusedRows.Take(magnitude, split.MagnitudeRows[i]),
            }));
        }
    }

    private void AddUnnamed(MegatronTensorGroup group, long layer, TensorExpression a, TensorExpression b, TensorExpression? magnitude)
    {
        string path = group.PathOf(layer, null);
        path = group.Projection is null ? path : $"{path}.{group.Projection}";
        LoraModuleKind kind = a.Rank == 3 ? LoraModuleKind.Experts : LoraModuleKind.Linear;
        _modules.Add((layer, Module(group, path, ModuleNaming.Megatron, kind, a, b) with { Magnitude = magnitude }));
    }

    private LoraModule Module(MegatronTensorGroup group, string path, ModuleNaming naming, LoraModuleKind kind, TensorExpression a, TensorExpression b)
    {
        int rank = checked((int)a.Shape[^2]);
        return new LoraModule
        {
            Path = path,
            Naming = naming,
            Kind = kind,
            Rank = rank,
            Scaling = alpha / rank,
            A = a,
            B = b,
            SourceTensors = [.. group.TensorNames],
        };
    }

    private bool CheckShapes(MegatronTensorGroup group, TensorExpression a, TensorExpression b, TensorExpression? magnitude)
    {
        int leading = group.HasLayerAxis ? 1 : 0;
        if (!a.DType.IsReadableFloat() || !b.DType.IsReadableFloat() || magnitude?.DType.IsReadableFloat() == false)
        {
            refusals.Add(RefusalCategory.UnsupportedDType, $"Factors of type {a.DType} and {b.DType} are not read as numbers.", group.TensorNames);
            return false;
        }

        bool ranks = a.Rank == b.Rank && (a.Rank == leading + 2 || (a.Rank == leading + 3 && group.IsExperts));
        bool fits = ranks && a.Shape[..^2].SequenceEqual(b.Shape[..^2]) && a.Shape[^2] == b.Shape[^1]
            && (magnitude is null || (magnitude.Rank == a.Rank - 1 && magnitude.Shape[..^1].SequenceEqual(a.Shape[..^2]) && magnitude.Shape[^1] == b.Shape[^2]));
        if (!fits)
        {
            refusals.Add(
                RefusalCategory.ShapeMismatch,
                $"The tensors do not fit each other: {TensorInfo.FormatShape(a.Shape)} and {TensorInfo.FormatShape(b.Shape)}.",
                group.TensorNames);
        }

        return fits;
    }
}
