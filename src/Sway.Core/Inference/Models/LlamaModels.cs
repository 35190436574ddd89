namespace Sway.Inference.Models;

/// <summary>Llama and those that change little of it.</summary>
internal static class LlamaModels
{
    /// <summary>llama.</summary>
    public static DecoderSpec Llama(ModelFamily m)
    {
        var rope = m.Rope();
        return m.Decoder(m.Each((_, path) => m.PreNorm(
            path,
            m.Attention(path + ".self_attn", rope, m.Rule(), m.AttentionBias),
            m.Gated(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation(), m.Config.Flag("mlp_bias", false)))));
    }

    /// <summary>mistral: a sliding window on all layers.</summary>
    public static DecoderSpec Mistral(ModelFamily m)
    {
        var rope = m.Rope();
        var window = m.Config.IntOrNull("sliding_window", 4096);
        return m.Decoder(m.Each((_, path) => m.PreNorm(
            path,
            m.Attention(path + ".self_attn", rope, m.Rule(window)),
            m.Gated(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation()))));
    }

    /// <summary>qwen2: biases on q, k and v.</summary>
    public static DecoderSpec Qwen2(ModelFamily m)
    {
        var rope = m.Rope();
        return m.Decoder(m.Each((i, path) => m.PreNorm(
            path,
            m.Attention(path + ".self_attn", rope, m.Rule(QwenWindow(m, i)), bias: true, outputBias: false),
            m.Gated(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation()))));
    }

    /// <summary>qwen3: norms of each query and key head.</summary>
    public static DecoderSpec Qwen3(ModelFamily m)
    {
        var rope = m.Rope();
        return m.Decoder(m.Each((i, path) => m.PreNorm(
            path,
            Qwen3Attention(m, path + ".self_attn", rope, QwenWindow(m, i)),
            m.Gated(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation()))));
    }

    /// <summary>smollm3: some layers without positions.</summary>
    public static DecoderSpec SmolLm3(ModelFamily m)
    {
        var rope = m.Rope(theta: 2_000_000.0);
        var interval = m.Config.Int("no_rope_layer_interval", 4);
        var flags = m.PerLayer("no_rope_layers", m.Config.Ints("no_rope_layers")) ?? [.. Enumerable.Range(0, m.Layers).Select(i => (i + 1) % interval != 0 ? 1 : 0)];
        return m.Decoder(
            m.Each((i, path) => m.PreNorm(
                path,
                m.Attention(path + ".self_attn", flags[i] != 0 ? rope : null, m.Rule(QwenWindow(m, i)), m.AttentionBias),
                m.Gated(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation(), m.Config.Flag("mlp_bias", false)))),
            tiedByDefault: true);
    }

    /// <summary>granite: multipliers on embedding, scores, residuals and logits.</summary>
    public static DecoderSpec Granite(ModelFamily m)
    {
        var rope = m.Rope();
        return GraniteFrame(m, m.Each((_, path) => m.PreNorm(
            path,
            m.Attention(path + ".self_attn", rope, m.Rule(scale: m.Config.Number("attention_multiplier", 1.0)), m.AttentionBias),
            m.Gated(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation(), m.Config.Flag("mlp_bias", false))) with
        {
            ResidualScale = m.Config.Number("residual_multiplier", 1.0),
        }));
    }

    /// <summary>olmo2: norms after both parts and over all query and key heads together.</summary>
    public static DecoderSpec Olmo2(ModelFamily m)
    {
        var rope = m.Rope();
        return m.Decoder(m.Each((_, path) => new LayerSpec
        {
            Path = path,
            Mixer = AllHeadsNorm(m, path + ".self_attn", rope),
            MixerOutputNorm = m.Rms(path + ".post_attention_layernorm"),
            FeedForward = m.Gated(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation()),
            FeedForwardOutputNorm = m.Rms(path + ".post_feedforward_layernorm"),
        }));
    }

    /// <summary>The embedding and logit multipliers of granite.</summary>
    public static DecoderSpec GraniteFrame(ModelFamily m, IReadOnlyList<LayerSpec> layers) => m.Decoder(layers) with
    {
        EmbeddingScale = m.Config.Number("embedding_multiplier", 1.0),
        LogitScale = 1.0 / m.Config.Number("logits_scaling", 1.0),
    };

    /// <summary>Attention with norms over all heads together.</summary>
    public static AttentionSpec AllHeadsNorm(ModelFamily m, string path, RopeTable rope) =>
        m.Attention(path, rope, m.Rule(), m.AttentionBias) with
        {
            QueryNorm = m.Rms(path + ".q_norm"),
            KeyNorm = m.Rms(path + ".k_norm"),
            NormScope = HeadNormScope.AllHeads,
        };

    /// <summary>Attention with norms of each head.</summary>
    public static AttentionSpec Qwen3Attention(ModelFamily m, string path, RopeTable rope, int? window) =>
        m.Attention(path, rope, m.Rule(window), m.AttentionBias) with
        {
            QueryNorm = m.Rms(path + ".q_norm"),
            KeyNorm = m.Rms(path + ".k_norm"),
        };

    /// <summary>The window of a layer: only with use_sliding_window, by layer type or from max_window_layers on.</summary>
    public static int? QwenWindow(ModelFamily m, int layer)
    {
        if (!m.Config.Flag("use_sliding_window", false)
            || m.Config.IntOrNull("sliding_window", m.Config.ModelType is "smollm3" ? null : 4096) is not { } window)
        {
            return null;
        }

        // This one has no layer types: the window is everywhere.
        if (m.Config.ModelType is "qwen3_moe")
        {
            return window;
        }

        if (m.LayerTypes is { } types)
        {
            return types[layer] switch
            {
                "sliding_attention" => window,
                "full_attention" => null,
                _ => throw m.Config.Unsupported("layer_types"),
            };
        }

        return m.Config.ModelType is "qwen2" or "qwen3"
            ? layer >= m.Config.Int("max_window_layers", 28) ? window : null
            : throw m.Config.Unsupported("use_sliding_window");
    }
}
