using Sway.Architectures;

namespace Sway.Inference.Models;

/// <summary>The Gemma family: norms with 1 + w, embeddings times the root of their width.</summary>
internal static class GemmaModels
{
    /// <summary>gemma.</summary>
    public static DecoderSpec Gemma(ModelFamily m)
    {
        CheckCausal(m);
        var rope = m.Rope();
        return Frame(m, m.Each((_, path) => new LayerSpec
        {
            Path = path,
            MixerInputNorm = m.Rms(path + ".input_layernorm", plusOne: true),
            Mixer = m.Attention(path + ".self_attn", rope, m.Rule(), m.AttentionBias),
            FeedForwardInputNorm = m.Rms(path + ".post_attention_layernorm", plusOne: true),
            FeedForward = m.Gated(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation(fallback: "gelu_pytorch_tanh")),
        }));
    }

    /// <summary>gemma2: soft caps, windows on every other layer, norms after both parts.</summary>
    public static DecoderSpec Gemma2(ModelFamily m)
    {
        CheckCausal(m);
        var rope = m.Rope();
        var window = m.Config.IntOrNull("sliding_window", 4096);
        var types = Types(m, i => (i + 1) % 2 != 0);
        var rule = m.Rule(scale: 1.0 / Math.Sqrt(m.Config.Number("query_pre_attn_scalar", 256.0))) with
        {
            SoftCap = m.Config.NumberOrNull("attn_logit_softcapping", 50.0) ?? 0.0,
        };
        return Frame(m, m.Each((i, path) => FourNorms(
            m, path, m.Attention(path + ".self_attn", rope, types[i] ? rule with { Window = window ?? 0 } : rule, m.AttentionBias)))) with
        {
            LogitSoftCap = m.Config.NumberOrNull("final_logit_softcapping", 30.0) ?? 0.0,
        };
    }

    /// <summary>gemma3_text: norms of heads, and another rotary base in the layers with windows.</summary>
    public static DecoderSpec Gemma3(ModelFamily m)
    {
        CheckCausal(m);
        var pattern = m.Config.OptionalInt("sliding_window_pattern") ?? m.Config.Int("_sliding_window_pattern", 6);
        var window = m.Config.IntOrNull("sliding_window", 4096);
        var types = Types(m, i => (i + 1) % pattern != 0);
        var full = m.Rope(theta: 1_000_000.0);
        var nested = m.Config.Object("rope_parameters");
        if (nested is { } parameters && !RopeConfig.IsNested(parameters))
        {
            throw m.Config.Unsupported("rope_parameters");
        }

        var local = nested is not null
            ? m.Rope(layerType: "sliding_attention")
            : RopeTable.Create(m.Config, new RopeConfig("default", m.Config.Number("rope_local_base_freq", 10000.0), null, null), m.HeadSize);
        var rule = m.Rule(scale: 1.0 / Math.Sqrt(m.Config.Number("query_pre_attn_scalar", 256.0))) with
        {
            SoftCap = m.Config.OptionalNumber("attn_logit_softcapping") ?? 0.0,
        };
        return Frame(m, m.Each((i, path) => FourNorms(
            m,
            path,
            m.Attention(path + ".self_attn", types[i] ? local : full, types[i] ? rule with { Window = window ?? 0 } : rule, m.AttentionBias) with
            {
                QueryNorm = m.Rms(path + ".self_attn.q_norm", plusOne: true),
                KeyNorm = m.Rms(path + ".self_attn.k_norm", plusOne: true),
            }))) with
        {
            LogitSoftCap = m.Config.OptionalNumber("final_logit_softcapping") ?? 0.0,
        };
    }

    private static bool[] Types(ModelFamily m, Func<int, bool> sliding)
    {
        if (m.LayerTypes is not { } types)
        {
            return [.. Enumerable.Range(0, m.Layers).Select(sliding)];
        }

        return [.. types.Select(type => type switch
        {
            "sliding_attention" => true,
            "full_attention" => false,
            _ => throw m.Config.Unsupported("layer_types"),
        })];
    }

    private static void CheckCausal(ModelFamily m) => m.Config.Demand("use_bidirectional_attention", false);

    private static LayerSpec FourNorms(ModelFamily m, string path, AttentionSpec attention) => new()
    {
        Path = path,
        MixerInputNorm = m.Rms(path + ".input_layernorm", plusOne: true),
        Mixer = attention,
        MixerOutputNorm = m.Rms(path + ".post_attention_layernorm", plusOne: true),
        FeedForwardInputNorm = m.Rms(path + ".pre_feedforward_layernorm", plusOne: true),
        FeedForward = m.Gated(path + ".mlp", m.Config.Int("intermediate_size"), m.Activation("hidden_activation", "gelu_pytorch_tanh")),
        FeedForwardOutputNorm = m.Rms(path + ".post_feedforward_layernorm", plusOne: true),
    };

    private static DecoderSpec Frame(ModelFamily m, IReadOnlyList<LayerSpec> layers) =>
        m.Decoder(layers, m.Rms("model.norm", plusOne: true), tiedByDefault: true) with { EmbeddingScale = Math.Sqrt(m.Hidden) };
}
