using System.Buffers.Binary;
using System.Text.Json.Nodes;
using Sway.Architectures;
using Sway.Inference;
using Sway.Inference.Cpu;
using Sway.Inference.Models;
using Sway.Scoring;

namespace Sway.Unit.Scoring;

/// <summary>What a config.json says by leaving fields out, in which form it says it, and what is refused; as transformers 5 reads it.</summary>
public sealed class ConfigurationTests
{
    private const string Small =
        "\"hidden_size\":32,\"num_attention_heads\":4,\"num_hidden_layers\":4,\"vocab_size\":64,\"intermediate_size\":48,\"max_position_embeddings\":64";

    private const string LongFactors = "\"short_factor\":[1,1,1,1],\"long_factor\":[2,2,2,2]";

    [Theory]
    [InlineData("llama", 1e-6)]
    [InlineData("olmo2", 1e-5)]
    [InlineData("phi3", 1e-5)]
    [InlineData("glm4", 1.5625e-7)]
    public void The_epsilon_of_norms_follows_the_class(string type, double epsilon) =>
        Describe(type).FinalNorm.Epsilon.ShouldBe(epsilon);

    [Theory]
    [InlineData("llama", null, 10000.0)]
    [InlineData("cohere", null, 500000.0)]
    [InlineData("cohere2", null, 10000.0)]
    [InlineData("smollm3", null, 2000000.0)]
    [InlineData("llama", "\"rope_theta\":7.0", 7.0)]

    // A base beside rope_parameters counts unless they have one of their own.
    [InlineData("llama", "\"rope_theta\":7.0,\"rope_parameters\":{\"rope_type\":\"default\"}", 7.0)]
    [InlineData("llama", "\"rope_theta\":7.0,\"rope_parameters\":{\"rope_theta\":9.0}", 9.0)]

    // With both forms in one file the old one counts.
    [InlineData("llama", "\"rope_scaling\":{\"rope_type\":\"default\",\"rope_theta\":5.0},\"rope_parameters\":{\"rope_theta\":9.0}", 5.0)]
    [InlineData("llama", "\"rope_scaling\":{},\"rope_parameters\":{\"rope_theta\":9.0}", 9.0)]
    public void The_rotary_base_is_found(string type, string? fields, double theta) =>
        Rope(Describe(type, fields)).Frequencies(1)[1].ShouldBe(Math.Pow(theta, -0.25), 1e-15);

    [Theory]

    // longrope: the factor of the file, else the ratio of the lengths.
    [InlineData("llama", "\"rope_scaling\":{\"type\":\"longrope\",\"factor\":4.0,\"original_max_position_embeddings\":32," + LongFactors + "}", 4.0, 32)]
    [InlineData("llama", "\"rope_scaling\":{\"type\":\"longrope\",\"original_max_position_embeddings\":32," + LongFactors + "}", 2.0, 32)]
    [InlineData("llama", "\"original_max_position_embeddings\":16,\"rope_scaling\":{\"type\":\"longrope\",\"original_max_position_embeddings\":32," + LongFactors + "}", 4.0, 16)]
    [InlineData("phi3", "\"original_max_position_embeddings\":32,\"rope_scaling\":{\"type\":\"yarn\"," + LongFactors + "}", 2.0, 32)]
    public void Longrope_switches_at_the_original_length_and_scales_by_the_factor(string type, string fields, double factor, int original)
    {
        var rope = Rope(Describe(type, fields));
        rope.Scaling.ShouldBe(Math.Sqrt(1.0 + (Math.Log(factor) / Math.Log(original))), 1e-12);
        rope.Variant(original).ShouldBe(0);
        rope.Variant(original + 1).ShouldBe(1);
    }

    [Theory]
    [InlineData("\"original_max_position_embeddings\":16,\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":4.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":9999}")]
    [InlineData("\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":4.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":16}")]
    public void A_top_level_original_length_counts_first(string fields)
    {
        // The wave of the second frequency is longer than 16 positions: divided by the factor.
        Rope(Describe("llama", fields)).Frequencies(1)[1].ShouldBe(0.1 / 4.0, 1e-15);
    }

    [Theory]
    [InlineData("qwen2", "\"use_sliding_window\":true,\"max_window_layers\":2", "0 0 4096 4096")]
    [InlineData("qwen2", "\"use_sliding_window\":true,\"sliding_window\":null,\"max_window_layers\":2", "0 0 0 0")]
    [InlineData("qwen3", "\"sliding_window\":8,\"max_window_layers\":0", "0 0 0 0")]
    [InlineData("qwen3_moe", "\"use_sliding_window\":true,\"sliding_window\":8,\"moe_intermediate_size\":8", "8 8 8 8")]
    [InlineData("mistral", null, "4096 4096 4096 4096")]
    [InlineData("mistral", "\"sliding_window\":null", "0 0 0 0")]
    public void The_window_of_each_layer_follows_the_class(string type, string? fields, string windows) =>
        string.Join(' ', Describe(type, fields).Layers.Select(layer => ((AttentionSpec)layer.Mixer).Rule.Window)).ShouldBe(windows);

    [Fact]
    public void Cohere2_without_a_window_has_no_positions()
    {
        var layers = Describe("cohere2", "\"sliding_window\":null").Layers;
        layers.ShouldAllBe(layer => ((AttentionSpec)layer.Mixer).Rope == null && ((AttentionSpec)layer.Mixer).Rule.Window == 0);
        ((AttentionSpec)Describe("cohere2", "\"sliding_window\":8").Layers[0].Mixer).Rope.ShouldNotBeNull();
    }

    [Theory]
    [InlineData("deepseek_v3", 3, 16)]
    [InlineData("deepseek_v2", 0, 32)]
    public void Deepseek_has_the_dense_layers_and_shared_experts_of_its_class(string type, int dense, int shared)
    {
        var layers = Describe(type, "\"moe_intermediate_size\":16,\"num_experts_per_tok\":2").Layers;
        layers.TakeWhile(layer => layer.FeedForward is GatedFeedForwardSpec).Count().ShouldBe(dense);
        ((ExpertsSpec)layers[3].FeedForward).Shared.ShouldNotBeNull().Width.ShouldBe(shared);
        ((ExpertsSpec)Describe(type, "\"moe_intermediate_size\":16,\"num_experts_per_tok\":2,\"n_shared_experts\":null").Layers[3].FeedForward)
            .Shared.ShouldBeNull();
    }

    [Theory]
    [InlineData("deepseek_v2")]
    [InlineData("deepseek_v3")]
    public void Deepseek_multiplies_the_scale_by_the_square_of_yarns_mscale(string type)
    {
        const string Sizes = "\"moe_intermediate_size\":16,\"num_experts_per_tok\":2,\"qk_nope_head_dim\":10,\"qk_rope_head_dim\":6";
        static LatentAttentionSpec Attention(DecoderSpec spec) => (LatentAttentionSpec)spec.Layers[0].Mixer;
        Attention(Describe(type, Sizes)).Rule.Scale.ShouldBe(0.25);
        var scaled = Attention(Describe(type, Sizes
            + ",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":40,\"mscale\":0.707,\"mscale_all_dim\":0.707,\"original_max_position_embeddings\":16}"));
        scaled.Rope.Scaling.ShouldBe(1.0);
        scaled.Rule.Scale.ShouldBe(0.25 * Math.Pow((0.0707 * Math.Log(40.0)) + 1.0, 2.0), 1e-12);
        Attention(Describe(type, Sizes + ",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":40,\"original_max_position_embeddings\":16}"))
            .Rule.Scale.ShouldBe(0.25);
    }

    [Fact]
    public void A_group_that_lost_gives_no_expert_whatever_the_selection_bias()
    {
        // Two groups of two; the biases make every choice negative, but the better group still gives both experts.
        var rule = new RoutingRule { Kind = RoutingKind.GroupedSigmoid, Experts = 4, Top = 2, Groups = 2, TopGroups = 1, Normalize = true };
        var experts = new int[2];
        var weights = new float[2];
        Routing.Choose(rule, [0f, 0f, 0f, 0f], [-2f, -3.5f, -1f, -4f], experts, weights);
        experts.ShouldBe([2, 3], ignoreOrder: true);
        weights.ShouldBe([0.5f, 0.5f]);
    }

    [Fact]
    public void Deepseek_takes_listed_layers_before_the_count_of_dense_ones()
    {
        var layers = Describe(
            "deepseek_v3",
            "\"moe_intermediate_size\":16,\"first_k_dense_replace\":3,\"mlp_layer_types\":[\"dense\",\"sparse\",\"sparse\",\"dense\"]").Layers;
        layers.Select(layer => layer.FeedForward is ExpertsSpec).ShouldBe([false, true, true, false]);
    }

    [Fact]
    public void Glm4_has_biases_unless_it_says_otherwise()
    {
        Biased(Describe("glm4")).ShouldBeTrue();
        Biased(Describe("glm4", "\"attention_bias\":false")).ShouldBeFalse();
    }

    [Theory]
    [InlineData("mistral", 8)]
    [InlineData("llama", 4)]
    public void Heads_of_keys_follow_the_class_and_null_means_as_many_as_queries(string type, int heads)
    {
        static int KeyHeads(DecoderSpec spec) => ((AttentionSpec)spec.Layers[0].Mixer).Rule.KeyHeads;
        KeyHeads(Describe(type)).ShouldBe(heads);
        KeyHeads(Describe(type, "\"num_key_value_heads\":null")).ShouldBe(4);
    }

    [Theory]
    [InlineData("phi3", "\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.0}", "rope_scaling")]
    [InlineData("llama", "\"rope_scaling\":{\"type\":\"proportional\",\"factor\":2.0}", "proportional")]
    [InlineData("gemma3_text", "\"rope_parameters\":{\"rope_theta\":5.0}", "rope_parameters")]
    [InlineData("gemma3_text", "\"rope_parameters\":{\"full_attention\":{\"rope_theta\":5.0}}", "rope_parameters")]
    [InlineData("gemma3_text", "\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":8.0},\"rope_parameters\":{\"full_attention\":{},\"sliding_attention\":{}}", "rope_scaling")]
    [InlineData("llama", "\"partial_rotary_factor\":0.5", "partial_rotary_factor")]
    [InlineData("qwen3", "\"rope_parameters\":{\"rope_theta\":5.0,\"partial_rotary_factor\":0.5}", "partial_rotary_factor")]
    [InlineData("gemma2", "\"layer_types\":[\"full_attention\"]", "layer_types")]
    [InlineData("smollm3", "\"no_rope_layers\":[1]", "no_rope_layers")]
    [InlineData("qwen3_moe", "\"moe_intermediate_size\":8,\"mlp_layer_types\":[\"dense\",\"sparse\",\"sparse\",\"sparse\"]", "mlp_layer_types")]
    [InlineData("lfm2", "\"theta\":5.0,\"rope_theta\":6.0", "theta")]
    [InlineData("lfm2", "\"block_ff_dim\":64", "block_ff_dim")]

    // Transformers 4 takes these for false, against the class's default.
    [InlineData("gemma2", "\"tie_word_embeddings\":null", "tie_word_embeddings")]
    [InlineData("glm4", "\"attention_bias\":null", "attention_bias")]
    public void What_could_be_read_in_two_ways_is_refused_by_name(string type, string fields, string name) =>
        Should.Throw<UnsupportedModelException>(() => Describe(type, fields)).Message.ShouldContain(name);

    [Theory]
    [InlineData("llama", "\"tie_word_embeddings\":null,\"attention_bias\":null,\"mlp_bias\":null")]
    public void A_null_is_false_where_the_class_says_false(string type, string fields)
    {
        DecoderSpec spec = Describe(type, fields);
        spec.TiedHead.ShouldBeFalse();
        Biased(spec).ShouldBeFalse();
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public void A_stored_head_with_other_numbers_is_used_although_the_configuration_ties_it(bool sameHead, bool differs)
    {
        var folder = Directory.CreateTempSubdirectory("sway-tied");
        try
        {
            var source = Golden.Folder("qwen2-tied");
            foreach (var file in Directory.GetFiles(source))
            {
                File.Copy(file, Path.Combine(folder.FullName, Path.GetFileName(file)));
            }

            int[] ids = Golden.Ints(Golden.Read("qwen2-tied").GetProperty("sequences")[1]);
            var tied = Score(folder.FullName, ids);
            var path = Path.Combine(folder.FullName, "model.safetensors");
            AddHead(path, sameHead, dropEmbedding: false);
            (Score(folder.FullName, ids) != tied).ShouldBe(differs);
            if (sameHead)
            {
                // Only one of the two is stored, under the head's name.
                File.Copy(Path.Combine(source, "model.safetensors"), path, overwrite: true);
                AddHead(path, sameHead, dropEmbedding: true);
                Score(folder.FullName, ids).ShouldBe(tied);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("""{"eos_token_id":[5,6]}""", "\"eos_token_id\":7", "5 6")]
    [InlineData("""{"eos_token_id":5}""", "\"eos_token_id\":7", "5")]
    [InlineData("""{"eos_token_id":null}""", "\"eos_token_id\":7", "7")]
    [InlineData(null, "\"eos_token_id\":[7,8]", "7 8")]
    [InlineData(null, "\"eos_token_id\":null", "9")]
    public void A_generated_text_ends_where_transformers_ends_it(string? generation, string fields, string ends)
    {
        var folder = Directory.CreateTempSubdirectory("sway-ends");
        try
        {
            if (generation is not null)
            {
                File.WriteAllText(Path.Combine(folder.FullName, "generation_config.json"), generation);
            }

            var config = ModelConfig.Parse($$"""{"model_type":"llama",{{fields}}}""");
            string.Join(' ', EndTokens.Of(folder.FullName, config, 9).Order()).ShouldBe(ends);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("embed_tokens.base_layer.weight", 0.0f, false)]
    [InlineData("embed_tokens.base_layer.weight", 0.5f, true)]
    [InlineData("lm_head.base_layer.weight", 0.5f, true)]
    public void A_copy_of_another_base_is_refused(string tensor, float change, bool refused)
    {
        var folder = Directory.CreateTempSubdirectory("sway-copy");
        try
        {
            var source = Path.Combine(Golden.Folder("llama-gqa"), "adapters", "embed-head");
            foreach (var file in Directory.GetFiles(source))
            {
                File.Copy(file, Path.Combine(folder.FullName, Path.GetFileName(file)));
            }

            // One number in the middle of the copy.
            var path = Path.Combine(folder.FullName, "adapter_model.safetensors");
            var bytes = File.ReadAllBytes(path);
            var length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
            var entry = JsonNode.Parse(bytes.AsSpan(8, length))!.AsObject().Single(p => p.Key.EndsWith(tensor, StringComparison.Ordinal)).Value!;
            var (start, end) = ((int)entry["data_offsets"]![0]!, (int)entry["data_offsets"]![1]!);
            var at = 8 + length + start + ((end - start) / 8 * 4);
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(at), BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(at)) + change);
            File.WriteAllBytes(path, bytes);
            if (refused)
            {
                Should.Throw<AdapterFormatException>(() => ScoringSession.Open(Golden.Folder("llama-gqa"), folder.FullName).Dispose())
                    .Message.ShouldContain(tensor);
            }
            else
            {
                ScoringSession.Open(Golden.Folder("llama-gqa"), folder.FullName).Dispose();
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static bool Biased(DecoderSpec spec) => ((AttentionSpec)spec.Layers[0].Mixer).Projections[0].Bias;

    private static double Score(string folder, int[] ids)
    {
        using ScoringSession session = ScoringSession.Open(folder);
        return session.Score(new TokenSequence(ids, 1)).Base.LogProbs.Sum();
    }

    // Appends lm_head.weight, the embedding's bytes or those with the rows in reverse, and may take away the embedding's name.
    private static void AddHead(string path, bool same, bool dropEmbedding)
    {
        var bytes = File.ReadAllBytes(path);
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        var header = JsonNode.Parse(bytes.AsSpan(8, length))!.AsObject();
        var embedding = header["model.embed_tokens.weight"]!.AsObject();
        var (start, end) = ((int)embedding["data_offsets"]![0]!, (int)embedding["data_offsets"]![1]!);
        var data = bytes.AsSpan(8 + length).ToArray();
        var rows = (int)embedding["shape"]![0]!;
        var row = (end - start) / rows;
        var head = data.AsSpan(start, end - start).ToArray();
        if (!same)
        {
            head = [.. head.Chunk(row).Reverse().SelectMany(chunk => chunk)];
        }

        header["lm_head.weight"] = new JsonObject
        {
            ["dtype"] = embedding["dtype"]!.DeepClone(),
            ["shape"] = embedding["shape"]!.DeepClone(),
            ["data_offsets"] = new JsonArray(data.Length, data.Length + head.Length),
        };
        if (dropEmbedding)
        {
            header["unused"] = embedding.DeepClone();
            header.Remove("model.embed_tokens.weight");
        }

        var text = System.Text.Encoding.UTF8.GetBytes(header.ToJsonString());
        var size = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(size, text.Length);
        File.WriteAllBytes(path, [.. size, .. text, .. data, .. head]);
    }

    private static DecoderSpec Describe(string type, string? fields = null) => ModelRegistry.Describe(
        ModelConfig.Parse($$"""{"model_type":"{{type}}",{{Small}}{{(fields is null ? "" : "," + fields)}}}"""), _ => false);

    private static RopeTable Rope(DecoderSpec spec) => ((AttentionSpec)spec.Layers[0].Mixer).Rope.ShouldNotBeNull();
}
