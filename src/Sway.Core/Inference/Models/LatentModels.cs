namespace Sway.Inference.Models;

/// <summary>DeepSeek: latent attention, a few dense layers, then routed and shared experts.</summary>
internal static class LatentModels
{
    /// <summary>deepseek_v2.</summary>
    public static DecoderSpec DeepSeekV2(ModelFamily m)
    {
        var limited = m.Config.Text("topk_method", "greedy") switch
        {
            "greedy" => false,
            "group_limited_greedy" => true,
            _ => throw m.Config.Unsupported("topk_method"),
        };

        // transformers reads the field and never normalizes.
        m.Config.Demand("norm_topk_prob", false);
        return Build(m, interleaved: true, new RoutingRule
        {
            Kind = limited ? RoutingKind.GroupedSoftmax : RoutingKind.SoftmaxThenTop,
            Experts = m.Config.Int("n_routed_experts", 64),
            Top = m.Config.Int("num_experts_per_tok"),
            Scale = m.Config.Number("routed_scaling_factor", 1.0),
            Groups = limited ? m.Config.Int("n_group") : 1,
            TopGroups = limited ? m.Config.Int("topk_group") : 1,
        });
    }

    /// <summary>deepseek_v3.</summary>
    public static DecoderSpec DeepSeekV3(ModelFamily m) => Build(m, m.Config.Flag("rope_interleave", true), new RoutingRule
    {
        Kind = RoutingKind.GroupedSigmoid,
        Experts = m.Config.Int("n_routed_experts", 256),
        Top = m.Config.Int("num_experts_per_tok", 8),
        Normalize = m.Config.Flag("norm_topk_prob", true),
        Scale = m.Config.Number("routed_scaling_factor", 2.5),
        Groups = m.Config.Int("n_group", 8),
        TopGroups = m.Config.Int("topk_group", 4),
    });

    private static DecoderSpec Build(ModelFamily m, bool interleaved, RoutingRule rule)
    {
        var third = m.Config.ModelType is "deepseek_v3";
        var dense = m.Config.Int("first_k_dense_replace", third ? 3 : 0);
        var width = m.Config.Int("moe_intermediate_size");
        var rope = m.Rope(headSize: m.Config.Size("qk_rope_head_dim", 1 << 16, 64));
        return m.Decoder(m.Each((i, path) => m.PreNorm(
            path,
            Attention(m, path + ".self_attn", rope, interleaved),
            m.IsListedDense(i) ?? i < dense
                ? m.Gated(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation(), m.Config.Flag("mlp_bias", false))
                : m.Experts(
                    path + ".mlp",
                    rule.Kind == RoutingKind.GroupedSigmoid ? rule with { SelectionBias = path + ".mlp.gate.e_score_correction_bias" } : rule,
                    width, m.Activation()) with
                {
                    Shared = m.Config.IntOrNull("n_shared_experts", third ? 1 : 2) is { } shared
                        ? m.Gated(path + ".mlp.shared_experts", width * shared, m.Activation(), m.Config.Flag("mlp_bias", false))
                        : null,
                })));
    }

    private static LatentAttentionSpec Attention(ModelFamily m, string path, RopeTable rope, bool interleaved)
    {
        var plain = m.Config.Size("qk_nope_head_dim", 1 << 16, 128);
        var rotated = m.Config.Size("qk_rope_head_dim", 1 << 16, 64);
        var value = m.Config.Size("v_head_dim", 1 << 16, 128);
        var latent = m.Config.Size("kv_lora_rank", 1 << 16, 512);
        var size = plain + rotated;
        var queryRank = m.Config.IntOrNull("q_lora_rank", 1536);
        return new LatentAttentionSpec
        {
            Query = queryRank is { } r
                ? new LinearSpec(path + ".q_a_proj", r, m.Hidden, m.AttentionBias)
                : new LinearSpec(path + ".q_proj", m.Heads * size, m.Hidden),
            QueryNorm = queryRank is null ? null : m.Rms(path + ".q_a_layernorm", epsilon: 1e-6),
            QueryUp = queryRank is { } rank ? new LinearSpec(path + ".q_b_proj", m.Heads * size, rank) : null,
            KeyValueDown = new LinearSpec(path + ".kv_a_proj_with_mqa", latent + rotated, m.Hidden, m.AttentionBias),
            KeyValueNorm = m.Rms(path + ".kv_a_layernorm", epsilon: 1e-6),
            KeyValueUp = new LinearSpec(path + ".kv_b_proj", m.Heads * (plain + value), latent),
            Output = new LinearSpec(path + ".o_proj", m.Hidden, m.Heads * value, m.AttentionBias),
            PlainSize = plain,
            RopeSize = rotated,
            Rope = rope,
            RopeInterleaved = interleaved,
            Rule = new AttentionRule
            {
                Heads = m.Heads,
                KeyHeads = m.Heads,
                HeadSize = size,
                ValueSize = value,
                Scale = Scale(m, size),
            },
        };
    }

    // The scale is multiplied by the square of yarn's mscale over all dimensions.
    private static double Scale(ModelFamily m, int size)
    {
        var scale = 1.0 / Math.Sqrt(size);
        var rope = Architectures.RopeConfig.Read(m.Config);
        if (rope.Kind is not "default" && rope.Number("mscale_all_dim") is { } all and not 0.0
            && rope.Number("factor") is { } factor)
        {
            var multiplier = RopeTable.MScale(factor, all);
            scale *= multiplier * multiplier;
        }

        return scale;
    }
}
