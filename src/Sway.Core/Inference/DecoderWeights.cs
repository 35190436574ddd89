namespace Sway.Inference;

/// <summary>Rows of one view and its adapter.</summary>
/// <param name="FirstRow">First row.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Adapter">The adapter.</param>
/// <param name="Strength">Its strength.</param>
public readonly record struct ViewRange(int FirstRow, int Rows, AttachedAdapter Adapter, double Strength)
{
    /// <summary>The views that change some rows of a batch.</summary>
    /// <param name="views">All views.</param>
    /// <param name="tokens">Rows of each.</param>
    internal static ViewRange[] Of(IReadOnlyList<DecoderView> views, int tokens) => Of(views, tokens, new RowGroup(0, tokens * views.Count));

    /// <summary>The views that change some rows of a group, counted from the group's first.</summary>
    /// <param name="views">All views.</param>
    /// <param name="tokens">Rows of each.</param>
    /// <param name="group">The group.</param>
    internal static ViewRange[] Of(IReadOnlyList<DecoderView> views, int tokens, RowGroup group)
    {
        var ranges = new List<ViewRange>();
        for (var v = 0; v < views.Count; v++)
        {
            var (from, to) = (Math.Max(v * tokens, group.First), Math.Min((v + 1) * tokens, group.First + group.Count));
            if (from < to && views[v].Effective is { } adapter)
            {
                ranges.Add(new ViewRange(from - group.First, to - from, adapter, views[v].Strength));
            }
        }

        return [.. ranges];
    }
}

/// <summary>Loads the modules that specs name and keeps them by path.</summary>
internal sealed class DecoderWeights(IEngine engine, WeightStore store)
{
    private const int MaximumExperts = 4096;

    private readonly Dictionary<string, LoadedLinear> _linears = new(StringComparer.Ordinal);
    private readonly Dictionary<string, LoadedExperts> _experts = new(StringComparer.Ordinal);

    /// <summary>Whether the model's numbers are quantized ones.</summary>
    public bool IsQuantized => store.Quantization is not null;

    /// <summary>Linear layers by module path.</summary>
    public IReadOnlyDictionary<string, LoadedLinear> Linears => _linears;

    /// <summary>Routed experts by module path.</summary>
    public IReadOnlyDictionary<string, LoadedExperts> AllExperts => _experts;

    /// <summary>The layer being loaded; -1 outside of layers.</summary>
    public int Layer
    {
        get => store.Layer;
        set => store.Layer = value;
    }

    /// <summary>Loads a linear layer.</summary>
    public LoadedLinear Linear(LinearSpec spec)
    {
        var loaded = new LoadedLinear(spec, engine.Matrix(store, spec), Bias(spec), Layer);
        _linears[spec.Module] = loaded;
        return loaded;
    }

    /// <summary>A head that shares the embedding's matrix.</summary>
    public LoadedLinear Tied(LinearSpec spec, LoadedLinear embedding)
    {
        var loaded = new LoadedLinear(spec, embedding.Weight, Bias(spec), Layer);
        _linears[spec.Module] = loaded;
        return loaded;
    }

    /// <summary>Loads a norm.</summary>
    public LoadedNorm? Norm(NormSpec? spec, int width) => spec is null
        ? null
        : new LoadedNorm(
            spec,
            spec.Weight is null ? null : Vector(spec.Weight, width),
            spec.Bias is null ? null : Vector(spec.Bias, width));

    /// <summary>Loads a vector, all of it: fewer numbers than the model has would be other numbers.</summary>
    public EngineWeight Vector(string name, int count) => store.Get(name).Info is var info && info.ElementCount == count
        ? engine.Vector(store, name, 0, count)
        : throw new UnsupportedModelException($"\"{name}\" has shape {info.ShapeText}, the configuration asks for {count} numbers.");

    /// <summary>Loads a vector that may be absent.</summary>
    public EngineWeight? Vector(string? name, int count, bool optional) => name is null && optional ? null : Vector(name!, count);

    /// <summary>Loads routed experts.</summary>
    public LoadedExperts Experts(ExpertsSpec spec)
    {
        var (count, rule) = (spec.Rule.Experts, spec.Rule);
        if (count is < 1 or > MaximumExperts || rule.Top < 1 || rule.Top > count
            || rule.Groups < 1 || count % rule.Groups != 0 || rule.TopGroups < 1 || rule.TopGroups > rule.Groups)
        {
            throw new UnsupportedModelException(
                $"{spec.Module}: {rule.Top} of {count} experts, {rule.TopGroups} of {rule.Groups} groups, is no routing that can be computed.");
        }

        var weights = new ExpertsWeights
        {
            Spec = spec,
            Inputs = [.. spec.Inputs.Select(input => engine.ExpertMatrices(store, input, count))],
            InputBiases = [.. spec.Inputs.Select(input => Vector(input.BiasName, checked(count * input.Outputs), optional: true))],
            Down = engine.ExpertMatrices(store, spec.Down, count),
            DownBias = Vector(spec.Down.BiasName, checked(count * spec.Down.Outputs), optional: true),
            SelectionBias = Vector(spec.Rule.SelectionBias, count, optional: true),
        };
        var loaded = new LoadedExperts(spec, weights, Layer);
        _experts[spec.Module] = loaded;
        return loaded;
    }

    private EngineWeight? Bias(LinearSpec spec) =>
        spec.Bias ? Vector(spec.BiasName ?? spec.Module + ".bias", spec.Outputs) : null;
}

/// <summary>A linear layer with its weights.</summary>
internal sealed class LoadedLinear(LinearSpec spec, EngineWeight weight, EngineWeight? bias, int layer)
{
    /// <summary>What it is.</summary>
    public LinearSpec Spec { get; } = spec;

    /// <summary>The matrix.</summary>
    public EngineWeight Weight { get; } = weight;

    /// <summary>The bias or null.</summary>
    public EngineWeight? Bias { get; } = bias;

    /// <summary>The decoder layer, or -1.</summary>
    public int Layer { get; } = layer;

    /// <summary>Computes it, with what each view adds.</summary>
    public EngineTensor Run(IEngine engine, EngineTensor x, ReadOnlySpan<ViewRange> views) => engine.Linear(x, Weight, Bias, Deltas([this], views));

    /// <summary>Computes layers that read the same rows, with what each view adds.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="x">The rows.</param>
    /// <param name="layers">The layers.</param>
    /// <param name="views">The views.</param>
    /// <param name="results">The results, each in its place as soon as it is there.</param>
    public static void Run(IEngine engine, EngineTensor x, ReadOnlySpan<LoadedLinear> layers, ReadOnlySpan<ViewRange> views, Span<EngineTensor> results)
    {
        engine.Expect(x, Deltas(layers, views));
        for (var i = 0; i < layers.Length; i++)
        {
            results[i] = layers[i].Run(engine, x, views);
        }
    }

    private static ReadOnlySpan<DeltaRange> Deltas(ReadOnlySpan<LoadedLinear> layers, ReadOnlySpan<ViewRange> views)
    {
        if (views.Length == 0)
        {
            return [];
        }

        var deltas = new DeltaRange[layers.Length * views.Length];
        var count = 0;
        foreach (var view in views)
        {
            foreach (var layer in layers)
            {
                if (view.Adapter.Linears.TryGetValue(layer, out var delta))
                {
                    deltas[count++] = new DeltaRange(view.FirstRow, view.Rows, delta, view.Strength);
                }
            }
        }

        return deltas.AsSpan(0, count);
    }
}

/// <summary>A norm with its weights.</summary>
internal sealed class LoadedNorm(NormSpec spec, EngineWeight? weight, EngineWeight? bias)
{
    /// <summary>What it is.</summary>
    public NormSpec Spec { get; } = spec;

    /// <summary>The weight or null.</summary>
    public EngineWeight? Weight { get; } = weight;

    /// <summary>Computes it.</summary>
    public EngineTensor Run(IEngine engine, EngineTensor x) => engine.Norm(x, Spec.Kind, Spec.Epsilon, Weight, bias);

    /// <summary>Norms heads in place.</summary>
    public void RunHeads(IEngine engine, HeadView heads, HeadNormScope scope) => engine.NormHeads(heads, Spec.Kind, Spec.Epsilon, Weight, scope);
}

/// <summary>Routed experts with their weights.</summary>
internal sealed class LoadedExperts(ExpertsSpec spec, ExpertsWeights weights, int layer)
{
    /// <summary>What they are.</summary>
    public ExpertsSpec Spec { get; } = spec;

    /// <summary>The weights.</summary>
    public ExpertsWeights Weights { get; } = weights;

    /// <summary>The decoder layer.</summary>
    public int Layer { get; } = layer;
}
