using Sway.Architectures;

namespace Sway.Inference.Models;

/// <summary>What architectures share: names, sizes and the usual parts, read from one model's configuration.</summary>
/// <param name="config">The configuration.</param>
/// <param name="has">Whether the weights hold a tensor of a name.</param>
internal sealed class ModelFamily(ModelConfig config, Func<string, bool> has)
{
    // No model comes near; beyond them a file is wrong, and would only cost memory.
    private const int MaximumSize = 1 << 17;
    private const int MaximumLayers = 4096;

    /// <summary>The configuration.</summary>
    public ModelConfig Config => config;

    /// <summary>Whether the weights hold a tensor.</summary>
    public bool Has(string name) => has(name);

    /// <summary>Width of the residual stream.</summary>
    public int Hidden => config.Size("hidden_size", MaximumSize);

    /// <summary>Query heads.</summary>
    public int Heads => config.Size("num_attention_heads", MaximumSize);

    /// <summary>Key heads.</summary>
    public int KeyHeads => (config.IntOrNull("num_key_value_heads", ClassDefaults.KeyHeads(config.ModelType)) ?? Heads) is var heads
        && heads is >= 1 and <= MaximumSize ? heads : throw config.Unsupported("num_key_value_heads");

    /// <summary>Dimensions of a head.</summary>
    public int HeadSize => (config.IntOrNull("head_dim", ClassDefaults.HeadSize(config.ModelType)) ?? Hidden / Heads) is var size
        && size is >= 1 and <= MaximumSize ? size : throw config.Unsupported("head_dim");

    /// <summary>Number of layers.</summary>
    public int Layers => config.Size("num_hidden_layers", MaximumLayers);

    /// <summary>The type of each layer, where the configuration lists them.</summary>
    public IReadOnlyList<string>? LayerTypes => PerLayer("layer_types", config.Texts("layer_types"));

    /// <summary>A list with an entry for each layer (more are left alone), or null; a shorter one is refused.</summary>
    public IReadOnlyList<T>? PerLayer<T>(string field, IReadOnlyList<T>? values) =>
        values is null || values.Count >= Layers ? values : throw config.Unsupported(field);

    /// <summary>Whether a layer is said to be dense (or sparse); null where the configuration does not list it.</summary>
    public bool? IsListedDense(int layer) => PerLayer("mlp_layer_types", config.Texts("mlp_layer_types"))?[layer] switch
    {
        null => null,
        "dense" => true,
        "sparse" => false,
        _ => throw config.Unsupported("mlp_layer_types"),
    };

    /// <summary>Whether biases are in the attention projections.</summary>
    public bool AttentionBias => config.Flag("attention_bias", false);

    /// <summary>The activation in a field.</summary>
    public Activation Activation(string field = "hidden_act", string fallback = "silu") => config.Text(field, fallback) switch
    {
        "silu" or "swish" => Inference.Activation.Silu,
        "gelu" => Inference.Activation.Gelu,
        "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" => Inference.Activation.GeluTanh,
        "relu" => Inference.Activation.Relu,
        "relu2" => Inference.Activation.ReluSquared,
        _ => throw config.Unsupported(field),
    };

    /// <summary>An RMS norm of a module.</summary>
    public NormSpec Rms(string module, bool plusOne = false, double? epsilon = null) => new(
        plusOne ? NormKind.RmsPlusOne : NormKind.Rms, epsilon ?? config.Number("rms_norm_eps", ClassDefaults.RmsEpsilon(config.ModelType)), module + ".weight");

    /// <summary>A layer norm of a module.</summary>
    public NormSpec LayerNorm(string module, string field = "layer_norm_eps", bool bias = true) => new(
        NormKind.Layer, config.Number(field, 1e-5), module + ".weight", bias ? module + ".bias" : null);

    /// <summary>The rotary table of full attention.</summary>
    /// <param name="partial">
    /// The rotated part of a head where the configuration names none; null for architectures that rotate all of it and know no such field.
    /// </param>
    /// <param name="theta">The base where the configuration names none.</param>
    /// <param name="layerType">The layer type whose parameters are wanted.</param>
    /// <param name="headSize">Dimensions of what is rotated, where it is not a head.</param>
    public RopeTable Rope(double? partial = null, double theta = 10000.0, string layerType = "full_attention", int? headSize = null)
    {
        var rope = RopeConfig.Read(config, layerType, theta);
        return partial is null && rope.PartialFactor is not (null or 1.0)
            ? throw new UnsupportedModelException($"{config.Path}: {config.ModelType} with a partial_rotary_factor is not supported.")
            : RopeTable.Create(config, rope, headSize ?? HeadSize, partial ?? 1.0);
    }

    /// <summary>A rule with the usual scale.</summary>
    public AttentionRule Rule(int? window = null, double? scale = null) => new()
    {
        Heads = Heads,
        KeyHeads = KeyHeads,
        HeadSize = HeadSize,
        ValueSize = HeadSize,
        Scale = scale ?? (1.0 / Math.Sqrt(HeadSize)),
        Window = window is > 0 ? window.Value : 0,
    };

    /// <summary>Attention with three projections named q_proj, k_proj, v_proj.</summary>
    public AttentionSpec Attention(string path, RopeTable? rope, AttentionRule rule, bool bias = false, bool? outputBias = null, string output = "o_proj")
    {
        var (size, hidden) = (rule.HeadSize, Hidden);
        return new AttentionSpec
        {
            Projections =
            [
                new LinearSpec(path + ".q_proj", rule.Heads * size, hidden, bias),
                new LinearSpec(path + ".k_proj", rule.KeyHeads * size, hidden, bias),
                new LinearSpec(path + ".v_proj", rule.KeyHeads * rule.ValueSize, hidden, bias),
            ],
            Query = new HeadLayout(0, 0, size),
            Key = new HeadLayout(1, 0, size),
            Value = new HeadLayout(2, 0, rule.ValueSize),
            Output = new LinearSpec($"{path}.{output}", hidden, rule.Heads * rule.ValueSize, outputBias ?? bias),
            Rope = rope,
            Rule = rule,
        };
    }

    /// <summary>A gated feed-forward part with three projections.</summary>
    public GatedFeedForwardSpec Gated(
        string path, int width, Activation activation, bool bias = false, string gate = "gate_proj", string up = "up_proj", string down = "down_proj") => new(
        [new LinearSpec($"{path}.{gate}", width, Hidden, bias), new LinearSpec($"{path}.{up}", width, Hidden, bias)],
        new LinearSpec($"{path}.{down}", Hidden, width, bias), activation, width);

    /// <summary>A gated feed-forward part with gate and up in one projection.</summary>
    public GatedFeedForwardSpec GatedFused(string path, int width, Activation activation) => new(
        [new LinearSpec(path + ".gate_up_proj", 2 * width, Hidden)], new LinearSpec(path + ".down_proj", Hidden, width), activation, width);

    /// <summary>Routed experts as transformers 4 (one tensor each), transformers 5 (fused) or mlx (stacked) store them.</summary>
    public ExpertsSpec Experts(
        string path, RoutingRule rule, int width, Activation activation, string? weights = null, string gate = "gate_proj", string up = "up_proj",
        string down = "down_proj")
    {
        var stored = weights ?? path;
        return new ExpertsSpec
        {
            Router = new LinearSpec(path + ".gate", rule.Experts, Hidden) { WeightName = stored + ".gate.weight" },
            Rule = rule,
            Module = path + ".experts",
            Inputs = has($"{stored}.experts.gate_up_proj")
                ? [new ExpertLinearSpec("gate_up_proj", 2 * width, Hidden, false, $"{stored}.experts.gate_up_proj", null)]
                : [Projection("gate_proj", gate, width, Hidden), Projection("up_proj", up, width, Hidden)],
            Down = has($"{stored}.experts.down_proj")
                ? new ExpertLinearSpec("down_proj", Hidden, width, false, $"{stored}.experts.down_proj", null)
                : Projection("down_proj", down, Hidden, width),
            Activation = new ExpertActivation(activation),
            Width = width,
        };

        ExpertLinearSpec Projection(string name, string own, int outputs, int inputs)
        {
            var stacked = $"{stored}.switch_mlp.{name}.weight";
            return has(stacked)
                ? new ExpertLinearSpec(name, outputs, inputs, false, stacked, null)
                : new ExpertLinearSpec(name, outputs, inputs, false, null, $"{stored}.experts.{{0}}.{own}");
        }
    }

    /// <summary>A decoder with the names of llama.</summary>
    public DecoderSpec Decoder(IReadOnlyList<LayerSpec> layers, NormSpec? finalNorm = null, bool tiedByDefault = false) => new()
    {
        ModelType = config.ModelType,
        HiddenSize = Hidden,
        VocabularySize = config.Int("vocab_size"),
        MaxPositions = config.Int("max_position_embeddings", ClassDefaults.MaxPositions(config.ModelType)),
        Embedding = "model.embed_tokens",
        Layers = layers,
        FinalNorm = finalNorm ?? Rms("model.norm"),
        Head = new LinearSpec("lm_head", config.Int("vocab_size"), Hidden),
        TiedHead = config.TiesWordEmbeddings(tiedByDefault),
    };

    /// <summary>The layers, made one by one.</summary>
    public IReadOnlyList<LayerSpec> Each(Func<int, string, LayerSpec> make, string prefix = "model.layers") =>
        [.. Enumerable.Range(0, Layers).Select(i => make(i, $"{prefix}.{i}"))];

    /// <summary>A layer with norms before both parts, named as in llama.</summary>
    public LayerSpec PreNorm(string path, MixerSpec mixer, FeedForwardSpec feedForward) => new()
    {
        Path = path,
        MixerInputNorm = Rms(path + ".input_layernorm"),
        Mixer = mixer,
        FeedForwardInputNorm = Rms(path + ".post_attention_layernorm"),
        FeedForward = feedForward,
    };
}
