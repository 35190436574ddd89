using Sway.Adapters;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Conversion.Mlx;

/// <summary>Stacks the linear layers of single experts into mlx-lm's switch layers: untouched experts become zeros, ranks are
/// padded, and scalings that differ are multiplied in.</summary>
internal sealed class PerExpertStacks(MlxResolution resolution)
{
    // Untouched experts are filled with zeros, so a wrong configuration could ask for any amount of them.
    private const int MaximumExperts = 1 << 14;

    private readonly Dictionary<string, SortedDictionary<int, LoraModule>> _stacks = new(StringComparer.Ordinal);
    private readonly List<string> _order = [];

    public void Add(ModuleMatch match, LoraModule module)
    {
        string path = match.Rule.MlxPathOf(match.Layer);
        if (!_stacks.TryGetValue(path, out SortedDictionary<int, LoraModule>? stack))
        {
            _stacks.Add(path, stack = []);
            _order.Add(path);
        }

        if (module.Magnitude is not null)
        {
            resolution.Refusals.Add(RefusalCategory.DoraExperts, "DoRA on experts has no counterpart in mlx-lm.", module.Path);
        }
        else if (resolution.Base!.ExpertCount is not { } count || match.Expert >= count || count > MaximumExperts)
        {
            resolution.Refusals.Add(RefusalCategory.UnknownModule, $"The base has {resolution.Base.ExpertCount?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "an unknown number of"} experts.", module.Path);
        }
        else if (!stack.TryAdd(match.Expert, module))
        {
            resolution.Refusals.Add(RefusalCategory.DuplicateModule, "Two modules of the adapter are the same module of the base.", module.Path);
        }
    }

    public void Finish()
    {
        foreach (string path in _order)
        {
            SortedDictionary<int, LoraModule> stack = _stacks[path];
            if (stack.Count == 0 || resolution.Base!.ExpertCount is not (<= MaximumExperts and { } count))
            {
                continue;
            }

            LoraModule[] modules = [.. stack.Values];
            long inputs = modules[0].A.Shape[1], outputs = modules[0].B.Shape[0];
            if (modules.Any(m => m.A.Shape[1] != inputs || m.B.Shape[0] != outputs))
            {
                resolution.Refusals.Add(RefusalCategory.ShapeMismatch, "Experts of one layer differ in size.", modules.SelectMany(m => m.SourceTensors));
                continue;
            }

            resolution.Modules.Add(Stack(path, stack, count, inputs, outputs));
        }
    }

    private static MlxModule Stack(string path, SortedDictionary<int, LoraModule> stack, int count, long inputs, long outputs)
    {
        LoraModule[] modules = [.. stack.Values];
        int rank = modules.Max(module => module.Rank);
        bool sameScale = modules.All(module => module.Scaling == modules[0].Scaling);
        DType type = sameScale && modules.All(m => m.A.DType == modules[0].A.DType && m.B.DType == modules[0].A.DType)
            ? modules[0].A.DType
            : DType.F32;
        var a = new List<TensorExpression>(count);
        var b = new List<TensorExpression>(count);
        for (int expert = 0; expert < count; expert++)
        {
            if (stack.TryGetValue(expert, out LoraModule? module))
            {
                a.Add(module.A.Cast(type).PadEnd(0, rank));
                b.Add((sameScale ? module.B.Cast(type) : module.B.Scale(module.Scaling, type)).PadEnd(1, rank));
            }
            else
            {
                a.Add(TensorExpression.Zeros(type, [rank, inputs]));
                b.Add(TensorExpression.Zeros(type, [outputs, rank]));
            }
        }

        return new MlxModule
        {
            Path = path,
            Kind = MlxModuleKind.Switch,
            A = TensorExpression.Stack(0, a),
            B = TensorExpression.Stack(0, b),
            Scaling = sameScale ? modules[0].Scaling : 1,
            SourceTensors = [.. modules.SelectMany(module => module.SourceTensors)],
            Note = $"stacked from {stack.Count} of {count} experts{(stack.Count < count ? ", zeros for the others" : "")}",
        };
    }
}
