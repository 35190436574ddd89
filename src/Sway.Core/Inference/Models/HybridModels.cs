namespace Sway.Inference.Models;

/// <summary>Architectures whose layers are not all attention.</summary>
internal static class HybridModels
{
    /// <summary>lfm2: gated short convolutions and attention.</summary>
    public static DecoderSpec Lfm2(ModelFamily m)
    {
        var epsilon = m.Config.Number("norm_eps", 1e-5);
        m.Config.DemandSame("theta", "rope_theta");
        m.Config.DemandSame("block_ff_dim", "intermediate_size");
        var rope = m.Rope(theta: m.Config.Number("theta", 1_000_000.0));
        var attention = m.Config.Ints("full_attn_idxs");
        var types = m.LayerTypes
            ?? [.. Enumerable.Range(0, m.Layers).Select(i => attention is null || attention.Contains(i) ? "full_attention" : "conv")];
        var bias = m.Config.Flag("conv_bias", false);
        var taps = m.Config.Size("conv_L_cache", 1024, 3);
        var layers = m.Each((i, path) => new LayerSpec
        {
            Path = path,
            MixerInputNorm = m.Rms(path + ".operator_norm", epsilon: epsilon),
            Mixer = types[i] switch
            {
                "full_attention" => m.Attention(path + ".self_attn", rope, m.Rule(), output: "out_proj") with
                {
                    QueryNorm = m.Rms(path + ".self_attn.q_layernorm", epsilon: epsilon),
                    KeyNorm = m.Rms(path + ".self_attn.k_layernorm", epsilon: epsilon),
                },
                "conv" => new ShortConvolutionSpec(
                    new LinearSpec(path + ".conv.in_proj", 3 * m.Hidden, m.Hidden, bias),
                    path + ".conv.conv.weight", bias ? path + ".conv.conv.bias" : null, taps,
                    new LinearSpec(path + ".conv.out_proj", m.Hidden, m.Hidden, bias)),
                _ => throw m.Config.Unsupported("layer_types"),
            },
            FeedForwardInputNorm = m.Rms(path + ".ffn_norm", epsilon: epsilon),
            FeedForward = m.Gated(path + ".feed_forward", Lfm2Width(m), Activation.Silu, gate: "w1", up: "w3", down: "w2"),
        });
        return m.Decoder(layers, m.Rms("model.embedding_norm", epsilon: epsilon), tiedByDefault: true) with
        {
            TiedHead = m.Config.Flag("tie_embedding", m.Config.TiesWordEmbeddings(true)),
        };
    }

    /// <summary>qwen3_5_text: gated delta rules and gated attention.</summary>
    public static DecoderSpec Qwen35(ModelFamily m)
    {
        var rope = m.Rope(partial: 0.25);
        var interval = m.Config.Int("full_attention_interval", 4);
        var types = m.LayerTypes
            ?? [.. Enumerable.Range(0, m.Layers).Select(i => (i + 1) % interval != 0 ? "linear_attention" : "full_attention")];
        var layers = m.Each((i, path) => new LayerSpec
        {
            Path = path,
            MixerInputNorm = m.Rms(path + ".input_layernorm", plusOne: true),
            Mixer = types[i] switch
            {
                "full_attention" => GatedAttention(m, path + ".self_attn", rope),
                "linear_attention" => DeltaRule(m, path + ".linear_attn"),
                _ => throw m.Config.Unsupported("layer_types"),
            },
            FeedForwardInputNorm = m.Rms(path + ".post_attention_layernorm", plusOne: true),
            FeedForward = m.Gated(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation()),
        });
        return m.Decoder(layers, m.Rms("model.norm", plusOne: true));
    }

    private static int Lfm2Width(ModelFamily m)
    {
        var width = m.Config.OptionalInt("intermediate_size") ?? m.Config.Int("block_ff_dim", 12288);
        if (!m.Config.Flag("block_auto_adjust_ff_dim", true))
        {
            return width;
        }

        width = (int)(m.Config.Number("block_ffn_dim_multiplier", 1.0) * (2 * width / 3));
        var multiple = m.Config.Int("block_multiple_of", 256);
        return multiple * ((width + multiple - 1) / multiple);
    }

    private static AttentionSpec GatedAttention(ModelFamily m, string path, RopeTable rope)
    {
        var (size, rule) = (m.HeadSize, m.Rule());
        var plain = m.Attention(path, rope, rule, m.AttentionBias);
        return plain with
        {
            // Each head's query is followed by its gate.
            Projections = [new LinearSpec(path + ".q_proj", 2 * rule.Heads * size, m.Hidden, m.AttentionBias), .. plain.Projections.Skip(1)],
            Query = new HeadLayout(0, 0, 2 * size),
            Gate = new HeadLayout(0, size, 2 * size),
            QueryNorm = m.Rms(path + ".q_norm", plusOne: true),
            KeyNorm = m.Rms(path + ".k_norm", plusOne: true),
        };
    }

    private static DeltaRuleSpec DeltaRule(ModelFamily m, string path)
    {
        if (m.Activation() != Activation.Silu)
        {
            throw m.Config.Unsupported("hidden_act");
        }

        var (keyHeads, valueHeads) = (m.Config.Size("linear_num_key_heads", 1 << 16, 16), m.Config.Size("linear_num_value_heads", 1 << 16, 32));
        var (keySize, valueSize) = (m.Config.Size("linear_key_head_dim", 1 << 16, 128), m.Config.Size("linear_value_head_dim", 1 << 16, 128));
        return new DeltaRuleSpec
        {
            QueryKeyValue = new LinearSpec(path + ".in_proj_qkv", (2 * keyHeads * keySize) + (valueHeads * valueSize), m.Hidden),
            Gate = new LinearSpec(path + ".in_proj_z", valueHeads * valueSize, m.Hidden),
            Beta = new LinearSpec(path + ".in_proj_b", valueHeads, m.Hidden),
            Decay = new LinearSpec(path + ".in_proj_a", valueHeads, m.Hidden),
            Output = new LinearSpec(path + ".out_proj", m.Hidden, valueHeads * valueSize),
            Kernel = path + ".conv1d.weight",
            Taps = m.Config.Size("linear_conv_kernel_dim", 1 << 16, 4),
            LogA = path + ".A_log",
            StepBias = path + ".dt_bias",
            OutputNorm = m.Rms(path + ".norm"),
            KeyHeads = keyHeads,
            ValueHeads = valueHeads,
            KeySize = keySize,
            ValueSize = valueSize,
        };
    }
}
