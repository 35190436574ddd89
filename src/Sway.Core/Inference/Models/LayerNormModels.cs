namespace Sway.Inference.Models;

/// <summary>Architectures with layer norms.</summary>
internal static class LayerNormModels
{
    /// <summary>cohere: one norm for two parallel parts, neighbours rotated.</summary>
    public static DecoderSpec Cohere(ModelFamily m)
    {
        var rope = m.Rope(theta: 500_000.0);
        var normed = m.Config.Flag("use_qk_norm", false);
        return CohereFrame(m, m.Each((_, path) => CohereLayer(
            m,
            path,
            m.Attention(path + ".self_attn", rope, m.Rule(), m.AttentionBias) with
            {
                RopeInterleaved = true,
                QueryNorm = normed ? m.LayerNorm(path + ".self_attn.q_norm", bias: false) : null,
                KeyNorm = normed ? m.LayerNorm(path + ".self_attn.k_norm", bias: false) : null,
                NormScope = HeadNormScope.HeadOwnWeights,
            })));
    }

    /// <summary>cohere2: windows and positions in most layers, neither in the others.</summary>
    public static DecoderSpec Cohere2(ModelFamily m)
    {
        var rope = m.Rope();
        var window = m.Config.IntOrNull("sliding_window", 4096);
        var pattern = m.Config.OptionalInt("sliding_window_pattern") ?? m.Config.Int("_sliding_window_pattern", 4);
        var types = m.LayerTypes
            ?? [.. Enumerable.Range(0, m.Layers).Select(i => (i + 1) % pattern != 0 ? "sliding_attention" : "full_attention")];
        return CohereFrame(m, m.Each((i, path) =>
        {
            var sliding = types[i] switch
            {
                "sliding_attention" => true,
                "full_attention" => false,
                _ => throw m.Config.Unsupported("layer_types"),
            };
            return CohereLayer(
                m,
                path,
                m.Attention(path + ".self_attn", sliding && window is not null ? rope : null, m.Rule(sliding ? window : null), m.AttentionBias) with { RopeInterleaved = true });
        }));
    }

    /// <summary>phi: one norm for two parallel parts, biases everywhere.</summary>
    public static DecoderSpec Phi(ModelFamily m)
    {
        m.Config.Demand("qk_layernorm", false);
        var rope = m.Rope(partial: 0.5);
        var width = m.Config.Int("intermediate_size");
        return m.Decoder(
            m.Each((_, path) => new LayerSpec
            {
                Path = path,
                MixerInputNorm = m.LayerNorm(path + ".input_layernorm"),
                Mixer = m.Attention(path + ".self_attn", rope, m.Rule(), bias: true, output: "dense"),
                FeedForward = new PlainFeedForwardSpec(
                    new LinearSpec(path + ".mlp.fc1", width, m.Hidden, Bias: true),
                    new LinearSpec(path + ".mlp.fc2", m.Hidden, width, Bias: true),
                    m.Activation(fallback: "gelu_new")),
                Parallel = true,
            }),
            m.LayerNorm("model.final_layernorm")) with
        {
            Head = new LinearSpec("lm_head", m.Config.Int("vocab_size"), m.Hidden, Bias: true),
        };
    }

    /// <summary>starcoder2.</summary>
    public static DecoderSpec StarCoder2(ModelFamily m)
    {
        var rope = m.Rope();
        var bias = m.Config.Flag("use_bias", true);
        var width = m.Config.Int("intermediate_size");
        var rule = m.Rule(m.Config.OptionalInt("sliding_window"));
        return m.Decoder(
            m.Each((_, path) => new LayerSpec
            {
                Path = path,
                MixerInputNorm = m.LayerNorm(path + ".input_layernorm", "norm_epsilon"),
                Mixer = m.Attention(path + ".self_attn", rope, rule, bias),
                FeedForwardInputNorm = m.LayerNorm(path + ".post_attention_layernorm", "norm_epsilon"),
                FeedForward = new PlainFeedForwardSpec(
                    new LinearSpec(path + ".mlp.c_fc", width, m.Hidden, bias),
                    new LinearSpec(path + ".mlp.c_proj", m.Hidden, width, bias),
                    m.Activation(fallback: "gelu_pytorch_tanh")),
            }),
            m.LayerNorm("model.norm", "norm_epsilon"),
            tiedByDefault: true);
    }

    /// <summary>stablelm.</summary>
    public static DecoderSpec StableLm(ModelFamily m)
    {
        m.Config.Demand("qk_layernorm", false);
        var rope = m.Rope(partial: 0.25);
        var parallel = m.Config.Flag("use_parallel_residual", false);
        return m.Decoder(
            m.Each((_, path) => new LayerSpec
            {
                Path = path,
                MixerInputNorm = m.LayerNorm(path + ".input_layernorm"),
                Mixer = m.Attention(path + ".self_attn", rope, m.Rule(), m.Config.Flag("use_qkv_bias", false), outputBias: false),
                FeedForwardInputNorm = parallel ? null : m.LayerNorm(path + ".post_attention_layernorm"),
                FeedForward = m.Gated(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation()),
                Parallel = parallel,
            }),
            m.LayerNorm("model.norm"));
    }

    private static LayerSpec CohereLayer(ModelFamily m, string path, AttentionSpec attention) => new()
    {
        Path = path,
        MixerInputNorm = m.LayerNorm(path + ".input_layernorm", bias: false),
        Mixer = attention,
        FeedForward = m.Gated(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation()),
        Parallel = true,
    };

    private static DecoderSpec CohereFrame(ModelFamily m, IReadOnlyList<LayerSpec> layers) =>
        m.Decoder(layers, m.LayerNorm("model.norm", bias: false), tiedByDefault: true) with
        {
            LogitScale = m.Config.Number("logit_scale", 0.0625),
        };
}
