namespace Sway.Inference.Models;

/// <summary>Architectures with routed experts.</summary>
internal static class ExpertModels
{
    /// <summary>mixtral.</summary>
    public static DecoderSpec Mixtral(ModelFamily m)
    {
        var rope = m.Rope(theta: 1_000_000.0);
        var window = m.Config.OptionalInt("sliding_window");
        var rule = new RoutingRule
        {
            Kind = RoutingKind.SoftmaxThenTop,
            Experts = m.Config.Int("num_local_experts", 8),
            Top = m.Config.Int("num_experts_per_tok", 2),
            Normalize = true,
        };
        return m.Decoder(m.Each((_, path) => m.PreNorm(
            path,
            m.Attention(path + ".self_attn", rope, m.Rule(window)),
            m.Experts(
                path + ".mlp", rule, m.Config.Int("intermediate_size"), m.Activation(),
                m.Has(path + ".block_sparse_moe.gate.weight") ? path + ".block_sparse_moe" : null, "w1", "w3", "w2"))));
    }

    /// <summary>qwen2_moe: a shared expert behind a gate.</summary>
    public static DecoderSpec Qwen2Moe(ModelFamily m)
    {
        var rope = m.Rope();
        var rule = QwenRule(m, m.Config.Int("num_experts", 60), 4);
        return m.Decoder(m.Each((i, path) => m.PreNorm(
            path,
            m.Attention(path + ".self_attn", rope, m.Rule(LlamaModels.QwenWindow(m, i)), m.Config.Flag("qkv_bias", true), outputBias: false),
            !IsSparse(m, i, rule)
                ? m.Gated(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation())
                : m.Experts(path + ".mlp", rule, m.Config.Int("moe_intermediate_size"), m.Activation()) with
                {
                    Shared = m.Gated(path + ".mlp.shared_expert", m.Config.Int("shared_expert_intermediate_size"), m.Activation()),
                    SharedGate = new LinearSpec(path + ".mlp.shared_expert_gate", 1, m.Hidden),
                })));
    }

    /// <summary>qwen3_moe: dense and sparse layers mixed.</summary>
    public static DecoderSpec Qwen3Moe(ModelFamily m)
    {
        var rope = m.Rope();
        var rule = QwenRule(m, m.Config.OptionalInt("num_experts") ?? m.Config.Int("num_local_experts", 128), 8);
        return m.Decoder(m.Each((i, path) => m.PreNorm(
            path,
            LlamaModels.Qwen3Attention(m, path + ".self_attn", rope, LlamaModels.QwenWindow(m, i)),
            !IsSparse(m, i, rule)
                ? m.Gated(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation())
                : m.Experts(path + ".mlp", rule, m.Config.Int("moe_intermediate_size"), m.Activation()))));
    }

    /// <summary>olmoe: norms over all heads together.</summary>
    public static DecoderSpec Olmoe(ModelFamily m)
    {
        m.Config.DemandAbsent("clip_qkv");
        var rope = m.Rope();
        var rule = QwenRule(m, m.Config.Int("num_experts", 64), 8);
        return m.Decoder(m.Each((_, path) => m.PreNorm(
            path,
            LlamaModels.AllHeadsNorm(m, path + ".self_attn", rope),
            m.Experts(path + ".mlp", rule, m.Config.Int("intermediate_size"), m.Activation()))));
    }

    /// <summary>granitemoe.</summary>
    public static DecoderSpec GraniteMoe(ModelFamily m)
    {
        var rope = m.Rope();
        var width = m.Config.Int("intermediate_size");
        var rule = new RoutingRule
        {
            Kind = RoutingKind.TopThenSoftmax,
            Experts = m.Config.Int("num_local_experts", 8),
            Top = m.Config.Int("num_experts_per_tok", 2),
        };
        return LlamaModels.GraniteFrame(m, m.Each((_, path) =>
        {
            var moe = path + ".block_sparse_moe";
            var experts = new ExpertsSpec
            {
                Router = new LinearSpec(moe + ".router.layer", rule.Experts, m.Hidden),
                Rule = rule,
                Module = moe + ".experts",
                Inputs = [new ExpertLinearSpec("gate_up_proj", 2 * width, m.Hidden, false, moe + ".input_linear.weight", null)],
                Down = new ExpertLinearSpec("down_proj", m.Hidden, width, false, moe + ".output_linear.weight", null),
                Activation = new ExpertActivation(m.Activation()),
                Width = width,
            };
            var attention = m.Attention(
                path + ".self_attn", rope, m.Rule(scale: m.Config.Number("attention_multiplier", 1.0)), m.AttentionBias);
            return m.PreNorm(path, attention, experts) with { ResidualScale = m.Config.Number("residual_multiplier", 1.0) };
        }));
    }

    /// <summary>gpt_oss: sinks, windows on every other layer, clamped interleaved experts.</summary>
    public static DecoderSpec GptOss(ModelFamily m)
    {
        if (!m.Config.Has("rope_parameters") && !m.Config.Has("rope_scaling"))
        {
            throw m.Config.Unsupported("rope_parameters");
        }

        // transformers fixes this factor and never reads the field.
        if (m.Config.Number("swiglu_alpha", 1.702) is not 1.702)
        {
            throw m.Config.Unsupported("swiglu_alpha");
        }

        var rope = m.Rope(theta: 150_000.0);
        var (width, count) = (m.Config.Int("intermediate_size"), m.Config.Int("num_local_experts", 128));
        var rule = new RoutingRule { Kind = RoutingKind.TopThenSoftmax, Experts = count, Top = m.Config.Int("num_experts_per_tok", 4) };
        var window = m.Config.IntOrNull("sliding_window", 128);
        var types = m.LayerTypes
            ?? [.. Enumerable.Range(0, m.Layers).Select(i => (i + 1) % 2 != 0 ? "sliding_attention" : "full_attention")];
        return m.Decoder(m.Each((i, path) =>
        {
            var experts = path + ".mlp.experts";
            var sliding = types[i] switch
            {
                "sliding_attention" => true,
                "full_attention" => false,
                _ => throw m.Config.Unsupported("layer_types"),
            };
            var attention = m.Attention(
                path + ".self_attn", rope, m.Rule(sliding ? window : null) with { Sinks = path + ".self_attn.sinks" },
                m.Config.Flag("attention_bias", true));
            return m.PreNorm(path, attention, new ExpertsSpec
            {
                Router = new LinearSpec(path + ".mlp.router", count, m.Hidden, Bias: true),
                Rule = rule,
                Module = experts,
                Inputs = [new ExpertLinearSpec("gate_up_proj", 2 * width, m.Hidden, true, experts + ".gate_up_proj", null, experts + ".gate_up_proj_bias")],
                Down = new ExpertLinearSpec("down_proj", m.Hidden, width, true, experts + ".down_proj", null, experts + ".down_proj_bias"),
                Activation = new ExpertActivation(Inference.Activation.Silu, true, m.Config.Number("swiglu_limit", 7.0), 1.702),
                Width = width,
            });
        }));
    }

    /// <summary>llama4_text: chunked attention with positions, full attention without, one expert by sigmoid.</summary>
    public static DecoderSpec Llama4(ModelFamily m)
    {
        var rope = m.Rope(theta: 500_000.0);
        var interval = m.Config.Int("no_rope_layer_interval", 4);
        var step = m.Config.Int("interleave_moe_layer_step", 1);
        var flags = m.Config.Ints("no_rope_layers") is { Count: > 0 } given
            ? m.PerLayer("no_rope_layers", given)!
            : [.. Enumerable.Range(0, m.Layers).Select(i => (i + 1) % interval != 0 ? 1 : 0)];
        var types = m.LayerTypes ?? [.. flags.Select(flag => flag != 0 ? "chunked_attention" : "full_attention")];
        var sparse = m.Config.Ints("moe_layers") ?? [.. Enumerable.Range(0, m.Layers).Where(i => (i + 1) % step == 0)];
        var width = m.Config.Int("intermediate_size");
        var rule = new RoutingRule
        {
            Kind = RoutingKind.SigmoidOnInput,
            Experts = m.Config.Int("num_local_experts", 16),
            Top = m.Config.Int("num_experts_per_tok", 1),
        };
        return m.Decoder(m.Each((i, path) => m.PreNorm(
            path,
            Llama4Attention(m, path + ".self_attn", flags[i] != 0 ? rope : null, types[i]),
            !sparse.Contains(i)
                ? m.Gated(path + ".feed_forward", m.Config.Int("intermediate_size_mlp"), m.Activation())
                : new ExpertsSpec
                {
                    Router = new LinearSpec(path + ".feed_forward.router", rule.Experts, m.Hidden),
                    Rule = rule,
                    Module = path + ".feed_forward.experts",
                    Inputs = [new ExpertLinearSpec("gate_up_proj", 2 * width, m.Hidden, true, path + ".feed_forward.experts.gate_up_proj", null)],
                    Down = new ExpertLinearSpec("down_proj", m.Hidden, width, true, path + ".feed_forward.experts.down_proj", null),
                    Activation = new ExpertActivation(m.Activation()),
                    Width = width,
                    Shared = m.Gated(path + ".feed_forward.shared_expert", width, m.Activation()),
                })));
    }

    private static AttentionSpec Llama4Attention(ModelFamily m, string path, RopeTable? rope, string type)
    {
        var chunk = type switch
        {
            "chunked_attention" => m.Config.Int("attention_chunk_size", 8192),
            "full_attention" => 0,
            _ => throw m.Config.Unsupported("layer_types"),
        };
        var tuned = rope is null && m.Config.Flag("attn_temperature_tuning", true);
        var norm = rope is not null && m.Config.Flag("use_qk_norm", true) ? new NormSpec(NormKind.Rms, m.Config.Number("rms_norm_eps", 1e-5), null) : null;
        var rule = m.Rule() with
        {
            Chunk = chunk,
            Temperature = tuned ? (m.Config.Number("attn_scale", 0.1), m.Config.Number("floor_scale", 8192.0)) : null,
        };
        return m.Attention(path, rope, rule, m.AttentionBias) with
        {
            RopeInterleaved = true,
            QueryNorm = norm,
            KeyNorm = norm,
            NormAfterRope = true,
        };
    }

    private static RoutingRule QwenRule(ModelFamily m, int experts, int top) => new()
    {
        Kind = RoutingKind.SoftmaxThenTop,
        Experts = experts,
        Top = m.Config.Int("num_experts_per_tok", top),
        Normalize = m.Config.Flag("norm_topk_prob", false),
    };

    private static bool IsSparse(ModelFamily m, int layer, RoutingRule rule)
    {
        var sparse = rule.Experts > 0 && m.Config.Ints("mlp_only_layers")?.Contains(layer) != true
            && (layer + 1) % m.Config.Int("decoder_sparse_step", 1) == 0;
        return m.IsListedDense(layer) == sparse ? throw m.Config.Unsupported("mlp_layer_types") : sparse;
    }
}
