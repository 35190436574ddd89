namespace Sway.Inference.Models;

/// <summary>Architectures whose queries, keys and values come from one projection, and glm4.</summary>
internal static class FusedModels
{
    /// <summary>phi3.</summary>
    public static DecoderSpec Phi3(ModelFamily m)
    {
        var rope = Phi3Rope(m);
        var rule = m.Rule(m.Config.OptionalInt("sliding_window"));
        var (size, heads, keyHeads) = (m.HeadSize, m.Heads, m.KeyHeads);
        return m.Decoder(m.Each((_, path) => m.PreNorm(
            path,
            new AttentionSpec
            {
                Projections = [new LinearSpec(path + ".self_attn.qkv_proj", (heads + (2 * keyHeads)) * size, m.Hidden)],
                Query = new HeadLayout(0, 0, size),
                Key = new HeadLayout(0, heads * size, size),
                Value = new HeadLayout(0, (heads + keyHeads) * size, size),
                Output = new LinearSpec(path + ".self_attn.o_proj", m.Hidden, heads * size),
                Rope = rope,
                Rule = rule,
            },
            m.GatedFused(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation()))));
    }

    /// <summary>glm4: norms before and after both parts, half of a head rotated in neighbours.</summary>
    public static DecoderSpec Glm4(ModelFamily m)
    {
        var rope = m.Rope(partial: 0.5);
        return m.Decoder(m.Each((_, path) => m.PreNorm(
            path,
            m.Attention(path + ".self_attn", rope, m.Rule(), m.Config.Flag("attention_bias", true), outputBias: false) with { RopeInterleaved = true },
            m.GatedFused(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation())) with
        {
            MixerOutputNorm = m.Rms(path + ".post_self_attn_layernorm"),
            FeedForwardOutputNorm = m.Rms(path + ".post_mlp_layernorm"),
        }));
    }

    // What the first files call yarn is longrope, and transformers knows no other scaling of this architecture.
    private static RopeTable Phi3Rope(ModelFamily m)
    {
        var rope = Architectures.RopeConfig.Read(m.Config);
        return rope.Kind is "default" or "longrope" or "yarn"
            ? RopeTable.Create(m.Config, rope.Kind is "yarn" ? rope with { Kind = "longrope" } : rope, m.HeadSize)
            : throw m.Config.Unsupported(m.Config.Has("rope_scaling") ? "rope_scaling" : "rope_parameters");
    }

    /// <summary>gpt2: learned positions, matrices stored as (inputs, outputs).</summary>
    public static DecoderSpec Gpt2(ModelFamily m)
    {
        m.Config.Demand("scale_attn_weights", true);
        m.Config.Demand("scale_attn_by_inverse_layer_idx", false);
        m.Config.Demand("add_cross_attention", false);
        var (hidden, heads) = (m.Config.Int("n_embd"), m.Config.Int("n_head"));
        var size = hidden / heads;
        var width = m.Config.Int("n_inner", 4 * hidden);
        var activation = m.Activation("activation_function", "gelu_new");
        var rule = new AttentionRule { Heads = heads, KeyHeads = heads, HeadSize = size, ValueSize = size, Scale = 1.0 / Math.Sqrt(size) };
        var layers = Enumerable.Range(0, m.Config.Int("n_layer")).Select(i => $"transformer.h.{i}").Select(path => new LayerSpec
        {
            Path = path,
            MixerInputNorm = m.LayerNorm(path + ".ln_1", "layer_norm_epsilon"),
            Mixer = new AttentionSpec
            {
                Projections = [new LinearSpec(path + ".attn.c_attn", 3 * hidden, hidden, Bias: true, Transposed: true)],
                Query = new HeadLayout(0, 0, size),
                Key = new HeadLayout(0, hidden, size),
                Value = new HeadLayout(0, 2 * hidden, size),
                Output = new LinearSpec(path + ".attn.c_proj", hidden, hidden, Bias: true, Transposed: true),
                Rule = rule,
            },
            FeedForwardInputNorm = m.LayerNorm(path + ".ln_2", "layer_norm_epsilon"),
            FeedForward = new PlainFeedForwardSpec(
                new LinearSpec(path + ".mlp.c_fc", width, hidden, Bias: true, Transposed: true),
                new LinearSpec(path + ".mlp.c_proj", hidden, width, Bias: true, Transposed: true),
                activation),
        });
        return new DecoderSpec
        {
            ModelType = "gpt2",
            HiddenSize = hidden,
            VocabularySize = m.Config.Int("vocab_size"),
            MaxPositions = m.Config.Int("n_positions", 1024),
            Embedding = "transformer.wte",
            PositionEmbedding = "transformer.wpe.weight",
            Layers = [.. layers],
            FinalNorm = m.LayerNorm("transformer.ln_f", "layer_norm_epsilon"),
            Head = new LinearSpec("lm_head", m.Config.Int("vocab_size"), hidden),
            TiedHead = m.Config.TiesWordEmbeddings(true),
        };
    }

    /// <summary>gpt_neox: query, key and value of a head side by side, parallel parts.</summary>
    public static DecoderSpec GptNeoX(ModelFamily m)
    {
        var rope = m.Rope(partial: 0.25);
        var (size, heads) = (m.HeadSize, m.Heads);
        var bias = m.Config.Flag("attention_bias", true);
        var width = m.Config.Int("intermediate_size");
        var head = m.Has("lm_head.weight") || m.Config.TiesWordEmbeddings(false) ? "lm_head" : "embed_out";
        var layers = m.Each(
            (_, path) => new LayerSpec
            {
                Path = path,
                MixerInputNorm = m.LayerNorm(path + ".input_layernorm"),
                Mixer = new AttentionSpec
                {
                    Projections = [new LinearSpec(path + ".attention.query_key_value", 3 * m.Hidden, m.Hidden, bias)],
                    Query = new HeadLayout(0, 0, 3 * size),
                    Key = new HeadLayout(0, size, 3 * size),
                    Value = new HeadLayout(0, 2 * size, 3 * size),
                    Output = new LinearSpec(path + ".attention.dense", m.Hidden, heads * size, bias),
                    Rope = rope,
                    Rule = m.Rule(),
                },
                FeedForwardInputNorm = m.LayerNorm(path + ".post_attention_layernorm"),
                FeedForward = new PlainFeedForwardSpec(
                    new LinearSpec(path + ".mlp.dense_h_to_4h", width, m.Hidden, Bias: true),
                    new LinearSpec(path + ".mlp.dense_4h_to_h", m.Hidden, width, Bias: true),
                    m.Activation(fallback: "gelu")),
                Parallel = m.Config.Flag("use_parallel_residual", true),
            },
            "gpt_neox.layers");
        return m.Decoder(layers, m.LayerNorm("gpt_neox.final_layer_norm")) with
        {
            Embedding = "gpt_neox.embed_in",
            Head = new LinearSpec(head, m.Config.Int("vocab_size"), m.Hidden),
        };
    }
}
