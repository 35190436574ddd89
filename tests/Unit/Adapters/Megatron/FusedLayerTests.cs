using System.Globalization;
using Sway.Adapters;
using Sway.Adapters.Megatron;
using Sway.Unit.Support;

namespace Sway.Unit.Adapters.Megatron;

/// <summary>
/// Fused layers on synthetic shards: each Hugging Face layer's rows are known, laid out on disk as the trainer's ranks hold
/// them, and must come back. Rows are told apart by their number, so a single misplaced one shows.
/// </summary>
public sealed class FusedLayerTests
{
    private const int Hidden = 6;
    private const int Rank = 2;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void GatedAttentionGivesQueriesWithTheirGates(int ranks)
    {
        // 4 heads of 3 rows in 2 groups. On disk: a group's queries, its gates, its key, its value.
        const int Heads = 4, Groups = 2, Size = 3;
        float[][] q = Units(Heads, Size, 100), z = Units(Heads, Size, 200), k = Units(Groups, Size, 300), v = Units(Groups, Size, 400);
        float[] disk = [.. q[0], .. q[1], .. z[0], .. z[1], .. k[0], .. v[0], .. q[2], .. q[3], .. z[2], .. z[3], .. k[1], .. v[1]];
        Dictionary<string, float[]> found = Read(
            "Qwen3NextForCausalLM",
            "self_attention.linear_qkv",
            disk,
            ranks,
            $"num_attention_heads: {Heads}", $"num_query_groups: {Groups}", $"kv_channels: {Size}", "attention_output_gate: true");

        found["model.layers.0.self_attn.q_proj"].ShouldBe([.. q[0], .. z[0], .. q[1], .. z[1], .. q[2], .. z[2], .. q[3], .. z[3]]);
        found["model.layers.0.self_attn.k_proj"].ShouldBe([.. k[0], .. k[1]]);
        found["model.layers.0.self_attn.v_proj"].ShouldBe([.. v[0], .. v[1]]);
    }

    [Fact]
    public void JoinedAttentionGivesAllQueriesKeysAndValues()
    {
        const int Heads = 4, Groups = 2, Size = 3;
        float[][] q = Units(Heads, Size, 100), k = Units(Groups, Size, 300), v = Units(Groups, Size, 400);
        Dictionary<string, float[]> found = Read(
            "BailingMoeV2ForCausalLM",
            "self_attention.linear_qkv",
            [.. q[0], .. q[1], .. k[0], .. v[0], .. q[2], .. q[3], .. k[1], .. v[1]],
            2,
            $"num_attention_heads: {Heads}", $"num_query_groups: {Groups}", $"kv_channels: {Size}");

        found["model.layers.0.attention.query_key_value"].ShouldBe([.. q[0], .. q[1], .. q[2], .. q[3], .. k[0], .. k[1], .. v[0], .. v[1]]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void DeltaNetGivesSeparateLayers(int ranks)
    {
        DeltaNet net = new(ranks);
        Dictionary<string, float[]> found = Read("Qwen3_5ForCausalLM", "self_attention.in_proj", net.Disk, ranks, net.Config);

        found["model.layers.0.linear_attn.in_proj_qkv"].ShouldBe([.. net.Q.Concat(net.K).Concat(net.V).SelectMany(unit => unit)]);
        found["model.layers.0.linear_attn.in_proj_z"].ShouldBe([.. net.Z.SelectMany(unit => unit)]);
        found["model.layers.0.linear_attn.in_proj_b"].ShouldBe([.. net.B.SelectMany(unit => unit)]);
        found["model.layers.0.linear_attn.in_proj_a"].ShouldBe([.. net.A.SelectMany(unit => unit)]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void DeltaNetGivesLayersByKeyHead(int ranks)
    {
        DeltaNet net = new(ranks);
        Dictionary<string, float[]> found = Read("Qwen3NextForCausalLM", "self_attention.in_proj", net.Disk, ranks, net.Config);

        // Two value heads belong to each key head.
        IEnumerable<float[]> qkvz = Enumerable.Range(0, 2).SelectMany(g => (float[][])[net.Q[g], net.K[g], net.V[2 * g], net.V[(2 * g) + 1], net.Z[2 * g], net.Z[(2 * g) + 1]]);
        IEnumerable<float[]> ba = Enumerable.Range(0, 2).SelectMany(g => (float[][])[net.B[2 * g], net.B[(2 * g) + 1], net.A[2 * g], net.A[(2 * g) + 1]]);
        found["model.layers.0.linear_attn.in_proj_qkvz"].ShouldBe([.. qkvz.SelectMany(unit => unit)]);
        found["model.layers.0.linear_attn.in_proj_ba"].ShouldBe([.. ba.SelectMany(unit => unit)]);
    }

    [Fact]
    public void DeltaNetNeedsToKnowTheRanks()
    {
        DeltaNet net = new(1);

        ConversionRefusedException refused = Should.Throw<ConversionRefusedException>(
            () => Read("Qwen3NextForCausalLM", "self_attention.in_proj", net.Disk, null, net.Config));

        refused.Refusals.ShouldContain(refusal => refusal.Modules.Contains("decoder.layers.0.self_attention.in_proj"));
    }

    [Fact]
    public void MambaJoinsItsFiveSections()
    {
        using var folder = new TemporaryFolder();
        (string Name, int Rows)[] sections = [("z", 8), ("x", 8), ("B", 4), ("C", 4), ("dt", 2)];
        var writer = new TorchDistWriter(folder.File("checkpoint"));
        const string Layer = "decoder.layers.0.mixer.in_proj.adapter.";
        writer.Add(Layer + "linear_in.weight", Values(Rank * Hidden, 1), [Rank, Hidden], 2, 1);
        var expected = new List<float>();
        foreach ((string name, int rows) in sections)
        {
            float[] values = Values(rows * Rank, 1000 * (expected.Count + 1));
            expected.AddRange(values);
            writer.Add(Layer + "linear_out.weight." + name, values, [rows, Rank], 2, 1);
        }

        writer.Save(Config(2));
        using LoraAdapter adapter = Open(folder, "NemotronHForCausalLM");

        LoraModule module = adapter.Modules.ShouldHaveSingleItem();
        module.Path.ShouldBe("backbone.layers.0.mixer.in_proj");
        module.B.Shape.ShouldBe([26, Rank]);
        module.B.ToSingleArray().ShouldBe(expected);
    }

    [Fact]
    public void MambaSavedInOnePieceIsRefused()
    {
        ConversionRefusedException refused = Should.Throw<ConversionRefusedException>(
            () => Read("NemotronHForCausalLM", "mixer.in_proj", Values(26 * Rank, 1), 2));

        refused.Refusals.ShouldContain(refusal => refusal.Reason.Contains("z, x, B, C"));
    }

    /// <summary>Writes one adapted layer whose second factor has the given rows, and reads the second factors of all layers
    /// that it becomes.</summary>
    private static Dictionary<string, float[]> Read(string architecture, string layer, float[] disk, int? ranks, params string[] model)
    {
        using var folder = new TemporaryFolder();
        var writer = new TorchDistWriter(folder.File("checkpoint"));
        string name = $"decoder.layers.0.{layer}.adapter.";
        writer.Add(name + "linear_in.weight", Values(Rank * Hidden, 1), [Rank, Hidden], 1, 1);
        writer.Add(name + "linear_out.weight", disk, [disk.Length / Rank, Rank], ranks ?? 1, 1);
        writer.Save(Config(ranks, model));
        using LoraAdapter adapter = Open(folder, architecture);
        adapter.Obstacles.ShouldBeEmpty();
        adapter.Modules.ShouldAllBe(module => module.A.ToSingleArray().SequenceEqual(Values(Rank * Hidden, 1)) && module.Scaling == 8.0 / Rank);
        return adapter.Modules.ToDictionary(module => module.Path, module => module.B.ToSingleArray(), StringComparer.Ordinal);
    }

    private static LoraAdapter Open(TemporaryFolder folder, string architecture)
    {
        Directory.CreateDirectory(folder.File("base"));
        File.WriteAllText(folder.File("base/config.json"), $$"""{"architectures": ["{{architecture}}"], "model_type": "synthetic", "hidden_size": {{Hidden}}}""");
        return MegatronAdapterReader.Open(folder.File("checkpoint"), new AdapterOpenOptions { BaseModel = folder.File("base") });
    }

    private static string Config(int? ranks, params string[] model) => string.Join(
        '\n',
        [
            "checkpoint:", "  ckpt_format: torch_dist",
            "model:", $"  hidden_size: {Hidden}", .. ranks is null ? (string[])[] : [$"  tensor_model_parallel_size: {ranks}"], .. model.Select(line => "  " + line),
            "peft:", "  _target_: megatron.bridge.peft.lora.LoRA", "  alpha: 8", $"  dim: {Rank}", "",
        ]);

    /// <summary>Heads of some rows each, every number its own.</summary>
    private static float[][] Units(int count, int rows, int first) =>
        [.. Enumerable.Range(0, count).Select(unit => Values(rows * Rank, first + (unit * rows * Rank)))];

    private static float[] Values(int count, int first) => [.. Enumerable.Range(first, count).Select(value => (float)value)];

    /// <summary>A gated delta net of 2 key heads of 3 rows and 4 value heads of 2 rows, as its ranks save it.</summary>
    private sealed class DeltaNet
    {
        public DeltaNet(int ranks)
        {
            Q = Units(2, 3, 1000);
            K = Units(2, 3, 2000);
            V = Units(4, 2, 3000);
            Z = Units(4, 2, 4000);
            B = Units(4, 1, 5000);
            A = Units(4, 1, 6000);
            Disk = [.. Enumerable.Range(0, ranks).SelectMany(rank => ((float[][][])[Q, K, V, Z, B, A]).SelectMany(part =>
                part.Skip(rank * part.Length / ranks).Take(part.Length / ranks)).SelectMany(unit => unit))];
        }

        public float[][] Q { get; }

        public float[][] K { get; }

        public float[][] V { get; }

        public float[][] Z { get; }

        public float[][] B { get; }

        public float[][] A { get; }

        public float[] Disk { get; }

        public string[] Config { get; } =
        [
            "linear_key_head_dim: 3", "linear_value_head_dim: 2", "linear_num_key_heads: 2",
            string.Create(CultureInfo.InvariantCulture, $"linear_num_value_heads: {4}"),
        ];
    }
}
