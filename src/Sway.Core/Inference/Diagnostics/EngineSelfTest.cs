using System.Diagnostics;
using Sway.Scoring;

namespace Sway.Inference.Diagnostics;

/// <summary>What one comparison of two engines found.</summary>
/// <param name="Name">What was computed.</param>
/// <param name="Difference">The largest difference of a token's log-probability or divergence, in nats.</param>
/// <param name="Tolerance">The most that float32 arithmetic explains.</param>
/// <param name="Seconds">Wall time of the engine under test.</param>
public sealed record EngineComparison(string Name, double Difference, double Tolerance, double Seconds)
{
    /// <summary>Whether the engines agree.</summary>
    public bool Agrees => Difference <= Tolerance;
}

/// <summary>
/// Compares the MLX engine with the managed one on made-up models, for what can only be known on the machine itself: another GPU has other
/// kernels. Dense bfloat16 weights with LoRA and DoRA, 4-bit weights, sliding windows with soft caps, routed experts.
/// </summary>
public static class EngineSelfTest
{
    private const int Vocabulary = 512;
    private const int Width = 256;
    private const int HeadSize = 64;
    private const int Heads = 4;
    private const int KeyHeads = 2;
    private const int Inner = 384;
    private const int Layers = 2;
    private const double Tolerance = 1e-4;

    /// <summary>Compares, model by model.</summary>
    /// <param name="folder">An empty folder for the models.</param>
    /// <param name="cancellationToken">Stops between layers.</param>
    /// <exception cref="NativeLibraryException">MLX does not load, or reported an error.</exception>
    public static IEnumerable<EngineComparison> CompareMlx(string folder, CancellationToken cancellationToken = default)
    {
        string dense = Llama(Path.Combine(folder, "dense"), quantized: false);
        yield return Compare("bfloat16 weights, LoRA", dense, Adapter(Path.Combine(folder, "lora"), dora: false), cancellationToken);
        yield return Compare("bfloat16 weights, DoRA", dense, Adapter(Path.Combine(folder, "dora"), dora: true), cancellationToken);
        yield return Compare("4-bit weights", Llama(Path.Combine(folder, "quantized"), quantized: true), null, cancellationToken);
        yield return Compare("windows and soft caps", Gemma2(Path.Combine(folder, "capped")), null, cancellationToken);
        yield return Compare("routed experts", Experts(Path.Combine(folder, "experts")), null, cancellationToken);
    }

    private static EngineComparison Compare(string name, string model, string? adapter, CancellationToken cancellationToken)
    {
        var random = new SplitMix(7);
        TokenSequence[] sequences = [.. new[] { 160, 33, 33, 5 }.Select(length =>
            new TokenSequence([.. Enumerable.Range(0, length).Select(_ => (int)(random.NextDouble() * Vocabulary))], 1))];
        using var cpu = ScoringSession.Open(model, adapter, new ScoringOptions { Backend = BackendChoice.Cpu });
        SequenceScore[] truth = [.. cpu.Score(sequences, divergence: true, cancellationToken: cancellationToken)];
        using var mlx = ScoringSession.Open(model, adapter, new ScoringOptions { Backend = BackendChoice.Mlx });
        long started = Stopwatch.GetTimestamp();
        SequenceScore[] scores = [.. mlx.Score(sequences, divergence: true, cancellationToken: cancellationToken)];
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        double worst = scores.Zip(truth, Distance).Max();
        return new EngineComparison(name, worst, Tolerance, seconds);
    }

    private static double Distance(SequenceScore a, SequenceScore b) => Math.Max(
        Distance(a.Base.LogProbs, b.Base.LogProbs),
        b.Adapted is null ? 0.0 : Math.Max(
            Distance(a.Adapted!.LogProbs, b.Adapted.LogProbs), Distance(a.Divergence!.AdaptedBase, b.Divergence!.AdaptedBase)));

    private static double Distance(double[] a, double[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max();

    private static string Configuration(string type, string more) =>
        $$"""
        {"model_type":"{{type}}","hidden_size":{{Width}},"intermediate_size":{{Inner}},"num_hidden_layers":{{Layers}},"num_attention_heads":{{Heads}},
        "num_key_value_heads":{{KeyHeads}},"head_dim":{{HeadSize}},"vocab_size":{{Vocabulary}},"max_position_embeddings":256,"rms_norm_eps":1e-6,
        "rope_theta":10000.0,"tie_word_embeddings":{{(type == "gemma2" ? "true" : "false")}}{{more}}}
        """;

    private static string Llama(string folder, bool quantized)
    {
        var model = new MadeUpModel(folder, 1);
        Frame(model, quantized, head: true, norm: 1.0, (path, matrix) => FeedForward(path, matrix));
        return model.Write("model.safetensors", "config.json", Configuration(
            "llama",
            """,  "hidden_act":"silu" """ + (quantized ? """, "quantization":{"bits":4,"group_size":64}""" : "")));
    }

    private static string Gemma2(string folder)
    {
        var model = new MadeUpModel(folder, 2);
        Frame(model, quantized: false, head: false, norm: 0.0, (path, matrix) =>
        {
            model.Vector(path + ".pre_feedforward_layernorm.weight", Width, 0.0);
            model.Vector(path + ".post_feedforward_layernorm.weight", Width, 0.0);
            FeedForward(path, matrix);
        });
        return model.Write("model.safetensors", "config.json", Configuration(
            "gemma2",
            """, "hidden_activation":"gelu_pytorch_tanh","attn_logit_softcapping":4.0,"final_logit_softcapping":6.0,"query_pre_attn_scalar":64,"sliding_window":24"""));
    }

    private static string Experts(string folder)
    {
        const int Count = 8;
        const int Small = 64;
        var model = new MadeUpModel(folder, 3);
        Frame(model, quantized: false, head: true, norm: 1.0, (path, matrix) =>
        {
            matrix(path + ".mlp.gate", Count, Width);
            model.Vector(path + ".self_attn.q_norm.weight", HeadSize, 1.0);
            model.Vector(path + ".self_attn.k_norm.weight", HeadSize, 1.0);
            for (int e = 0; e < Count; e++)
            {
                matrix($"{path}.mlp.experts.{e}.gate_proj", Small, Width);
                matrix($"{path}.mlp.experts.{e}.up_proj", Small, Width);
                matrix($"{path}.mlp.experts.{e}.down_proj", Width, Small);
            }
        });
        return model.Write("model.safetensors", "config.json", Configuration(
            "qwen3_moe",
            $$""","hidden_act":"silu","num_experts":{{Count}},"num_experts_per_tok":2,"moe_intermediate_size":{{Small}},"norm_topk_prob":true,"decoder_sparse_step":1,"mlp_only_layers":[]"""));
    }

    private static void FeedForward(string path, Action<string, int, int> matrix)
    {
        matrix(path + ".mlp.gate_proj", Inner, Width);
        matrix(path + ".mlp.up_proj", Inner, Width);
        matrix(path + ".mlp.down_proj", Width, Inner);
    }

    // What the architectures have in common; the rest of a layer is the caller's.
    private static void Frame(MadeUpModel model, bool quantized, bool head, double norm, Action<string, Action<string, int, int>> rest)
    {
        Matrix("model.embed_tokens", Vocabulary, Width);
        for (int layer = 0; layer < Layers; layer++)
        {
            string path = $"model.layers.{layer}";
            model.Vector(path + ".input_layernorm.weight", Width, norm);
            model.Vector(path + ".post_attention_layernorm.weight", Width, norm);
            Matrix(path + ".self_attn.q_proj", Heads * HeadSize, Width);
            Matrix(path + ".self_attn.k_proj", KeyHeads * HeadSize, Width);
            Matrix(path + ".self_attn.v_proj", KeyHeads * HeadSize, Width);
            Matrix(path + ".self_attn.o_proj", Width, Heads * HeadSize);
            rest(path, Matrix);
        }

        model.Vector("model.norm.weight", Width, norm);
        if (head)
        {
            Matrix("lm_head", Vocabulary, Width);
        }

        void Matrix(string module, int outputs, int inputs)
        {
            if (quantized)
            {
                model.Quantized(module, outputs, inputs);
            }
            else
            {
                model.Matrix(module + ".weight", outputs, inputs);
            }
        }
    }

    private static string Adapter(string folder, bool dora)
    {
        const int Rank = 8;
        var adapter = new MadeUpModel(folder, dora ? 5u : 4u);
        for (int layer = 0; layer < Layers; layer++)
        {
            foreach ((string module, int outputs, int inputs) in (ReadOnlySpan<(string, int, int)>)
                [("self_attn.q_proj", Heads * HeadSize, Width), ("self_attn.v_proj", KeyHeads * HeadSize, Width), ("mlp.down_proj", Width, Inner)])
            {
                string path = $"base_model.model.model.layers.{layer}.{module}";
                adapter.Factor(path + ".lora_A.weight", Rank, inputs, 0.1);
                adapter.Factor(path + ".lora_B.weight", outputs, Rank, 0.05);
                if (dora)
                {
                    adapter.Vector(path + ".lora_magnitude_vector", outputs, 1.1);
                }
            }
        }

        return adapter.Write(
            "adapter_model.safetensors", "adapter_config.json",
            $$"""{"peft_type":"LORA","r":{{Rank}},"lora_alpha":{{2 * Rank}},"use_dora":{{(dora ? "true" : "false")}},"target_modules":["q_proj","v_proj","down_proj"],"base_model_name_or_path":null}""");
    }
}
