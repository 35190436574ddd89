using Sway.Adapters;
using Sway.Adapters.Peft;

namespace Sway.Inference;

/// <summary>Binds deltas on routed experts, in each layout that adapters have for them.</summary>
internal sealed class ExpertAttacher(Decoder decoder, LoraAdapter adapter)
{
    private readonly Dictionary<LoadedExperts, (List<LowRankTerm>[] Inputs, List<LowRankTerm>[] Down)> _terms = [];

    /// <summary>Adds a module when it is one of experts.</summary>
    public bool TryAdd(LoraModule module, float[] a, float[] b)
    {
        var all = decoder.Weights.AllExperts;
        if (all.TryGetValue(module.Path, out var whole) || all.TryGetValue(ModulePathOfExperts(module.Path), out whole))
        {
            Packed(whole, module, a, b);
            return true;
        }

        if (ModuleAliases.Experts(module.Path) is not { } place
            || (!all.TryGetValue(place.Module, out var experts) && !all.TryGetValue(ModulePathOfExperts(place.Module), out experts)))
        {
            return false;
        }

        if (module.Magnitude is not null)
        {
            throw Refuse(module, "magnitudes of experts are not supported");
        }

        if (place.Expert is { } expert)
        {
            Add(experts, module, expert, place.Projection!, a, b, module.Rank);
            return true;
        }

        if (module.Packing == ExpertPacking.PeftParameter)
        {
            Packed(experts, module with { ParameterName = place.Projection }, a, b);
            return true;
        }

        var count = experts.Spec.Rule.Experts;
        for (var e = 0; e < count; e++)
        {
            Add(experts, module, e, place.Projection!, Part(a, e, count), Part(b, e, count), module.Rank);
        }

        return true;
    }

    /// <summary>Gives the adapter what was added.</summary>
    public void Finish(AttachedAdapter attached)
    {
        foreach (var (experts, (inputs, down)) in _terms)
        {
            attached.Experts[experts] = (Deltas(inputs), Deltas(down));
        }

        static LinearDelta?[] Deltas(List<LowRankTerm>[] terms) =>
            [.. terms.Select(list => list.Count == 0 ? null : new LinearDelta { Terms = list })];
    }

    private static string ModulePathOfExperts(string path) => path.Replace(".block_sparse_moe.experts", ".mlp.experts", StringComparison.Ordinal);

    private static float[] Part(float[] values, int index, int count) =>
        values.AsSpan(index * (values.Length / count), values.Length / count).ToArray();

    // Square parameters fit both ways. Parameters (experts, out, in) were packed with A on the output side below 0.19 and on the input
    // side since; (experts, in, out) the other way round, but for those that transformers marks as transposed (gpt_oss), which never changed.
    private bool IsInputFirst(LoraModule module, string name, ExpertsSpec spec)
    {
        if (decoder.Spec.ModelType is "gpt_oss")
        {
            return true;
        }

        var transposed = (string.Equals(name, "down_proj", StringComparison.Ordinal) ? spec.Down : spec.Inputs[0]).Transposed;
        return PackedLayout.IsOld(adapter) is { } old
            ? old == transposed
            : throw Refuse(module, "the factors are square, and the file does not say which layout of PEFT they have");
    }

    // PEFT's wrapper of a 3-D parameter: rows of A are expert-major, columns of B rank-major. Normally A is on the input side; where
    // transformers stores (experts, in, out) without saying so (llama4), A is on the output side.
    private void Packed(LoadedExperts experts, LoraModule module, float[] a, float[] b)
    {
        if (module.Magnitude is not null || module.Packing != ExpertPacking.PeftParameter)
        {
            throw Refuse(module, "this layout of expert factors is not known");
        }

        var spec = experts.Spec;
        var (count, rank) = (spec.Rule.Experts, module.Rank);
        var (x, y) = (a.Length / (rank * count), b.Length / (rank * count));
        var name = module.ParameterName ?? Guess(spec, x, y) ?? throw Refuse(module, "the adapted parameter cannot be told");
        var (outputs, inputs) = Size(spec, name) ?? throw Refuse(module, $"the experts have no parameter \"{name}\"");
        var straight = x == inputs && y == outputs;
        var swapped = x == outputs && y == inputs;
        if (straight && swapped)
        {
            straight = IsInputFirst(module, name, spec);
        }

        if (!straight && !swapped)
        {
            throw Refuse(module, $"factors of {x} and {y} do not fit {outputs} x {inputs} weights");
        }

        for (var e = 0; e < count; e++)
        {
            var first = a.AsSpan(e * rank * x, rank * x).ToArray();
            var second = new float[y * rank];
            for (var i = 0; i < y; i++)
            {
                for (var r = 0; r < rank; r++)
                {
                    second[(i * rank) + r] = b[(((i * rank) + r) * count) + e];
                }
            }

            if (straight)
            {
                Add(experts, module, e, name, first, second, rank);
            }
            else
            {
                Add(experts, module, e, name, Transpose(second, y, rank), Transpose(first, rank, x), rank);
            }
        }
    }

    private static string? Guess(ExpertsSpec spec, int x, int y)
    {
        string? found = null;
        foreach (var name in (ReadOnlySpan<string>)["gate_up_proj", "down_proj"])
        {
            if (Size(spec, name) is { } size && ((x == size.Inputs && y == size.Outputs) || (x == size.Outputs && y == size.Inputs)))
            {
                if (found is not null)
                {
                    return null;
                }

                found = name;
            }
        }

        return found;
    }

    private static (int Outputs, int Inputs)? Size(ExpertsSpec spec, string name) => name switch
    {
        "gate_up_proj" => (2 * spec.Width, spec.Inputs[0].Inputs),
        "gate_proj" or "up_proj" when !spec.Activation.Interleaved => (spec.Width, spec.Inputs[0].Inputs),
        "down_proj" => (spec.Down.Outputs, spec.Down.Inputs),
        _ => null,
    };

    private void Add(LoadedExperts experts, LoraModule module, int expert, string name, float[] a, float[] b, int rank)
    {
        if (experts.Spec.Activation.Interleaved && name is "gate_proj" or "up_proj")
        {
            (name, b) = ("gate_up_proj", Interleave(experts, module, b, rank, first: name is "gate_proj" ? 0 : 1));
        }

        var (outputs, inputs) = Size(experts.Spec, name) ?? throw Refuse(module, $"the experts have no projection \"{name}\"");
        if (expert >= experts.Spec.Rule.Experts || a.Length != (long)rank * inputs || b.Length != (long)outputs * rank)
        {
            throw Refuse(module, $"the factors do not fit {outputs} x {inputs} weights");
        }

        if (!_terms.TryGetValue(experts, out var terms))
        {
            _terms[experts] = terms = (Lists(), Lists());
        }

        var side = string.Equals(name, "down_proj", StringComparison.Ordinal) ? terms.Down : terms.Inputs;
        side[expert].Add(new LowRankTerm
        {
            A = decoder.Engine.Matrix(a, rank, inputs),
            B = decoder.Engine.Matrix(b, outputs, rank),
            Scaling = module.Scaling,
            FirstOutput = string.Equals(name, "up_proj", StringComparison.Ordinal) ? experts.Spec.Width : 0,
        });

        List<LowRankTerm>[] Lists() => [.. Enumerable.Range(0, experts.Spec.Rule.Experts).Select(_ => new List<LowRankTerm>())];
    }

    // mlx-lm keeps gate and up apart where the model's outputs alternate between them.
    private float[] Interleave(LoadedExperts experts, LoraModule module, float[] b, int rank, int first)
    {
        var width = experts.Spec.Width;
        if (b.Length != (long)width * rank)
        {
            throw Refuse(module, $"the factors do not fit {width} outputs");
        }

        var result = new float[2 * b.Length];
        for (var i = 0; i < width; i++)
        {
            b.AsSpan(i * rank, rank).CopyTo(result.AsSpan(((2 * i) + first) * rank));
        }

        return result;
    }

    private static float[] Transpose(float[] values, int rows, int columns)
    {
        var result = new float[values.Length];
        for (var r = 0; r < rows; r++)
        {
            for (var c = 0; c < columns; c++)
            {
                result[(c * rows) + r] = values[(r * columns) + c];
            }
        }

        return result;
    }

    private AdapterFormatException Refuse(LoraModule module, string reason) =>
        new($"{adapter.Path}: \"{module.Path}\": {reason}.") { Path = adapter.Path, Tensors = module.SourceTensors };
}
