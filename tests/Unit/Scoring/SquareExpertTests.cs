using Sway.Scoring;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Scoring;

/// <summary>Expert parameters as wide as high: only the version of PEFT tells on which side of them a factor lies.</summary>
public sealed class SquareExpertTests : IDisposable
{
    private const int Width = 8, Experts = 2, Rank = 2, Vocabulary = 16;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("sway-square");
    private readonly float[][] _a = [.. Enumerable.Range(0, Experts).Select(e => Numbers(40 + e, Rank * Width))];
    private readonly float[][] _b = [.. Enumerable.Range(0, Experts).Select(e => Numbers(50 + e, Width * Rank))];

    public SquareExpertTests()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "config.json"), $$"""
            {"model_type":"mixtral","hidden_size":{{Width}},"intermediate_size":{{Width / 2}},"num_attention_heads":2,"num_key_value_heads":2,
            "num_hidden_layers":1,"num_local_experts":{{Experts}},"num_experts_per_tok":1,"vocab_size":{{Vocabulary}},"max_position_embeddings":32}
            """);
        const string Layer = "model.layers.0.";
        SafetensorsWriter.Write(Path.Combine(_folder.FullName, "model.safetensors"), [
            Tensor("model.embed_tokens.weight", 1, Vocabulary, Width), Tensor("lm_head.weight", 2, Vocabulary, Width), Tensor("model.norm.weight", 3, Width),
            Tensor(Layer + "input_layernorm.weight", 4, Width), Tensor(Layer + "post_attention_layernorm.weight", 5, Width),
            Tensor(Layer + "self_attn.q_proj.weight", 6, Width, Width), Tensor(Layer + "self_attn.k_proj.weight", 7, Width, Width),
            Tensor(Layer + "self_attn.v_proj.weight", 8, Width, Width), Tensor(Layer + "self_attn.o_proj.weight", 9, Width, Width),
            Tensor(Layer + "mlp.gate.weight", 10, Experts, Width), Tensor(Layer + "mlp.experts.gate_up_proj", 11, Experts, Width, Width),
            Tensor(Layer + "mlp.experts.down_proj", 12, Experts, Width, Width / 2),
        ]);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Each_version_of_PEFT_has_its_layout()
    {
        var now = Score(Adapter("\"peft_version\":\"0.21.2\",", inputFirst: true));
        var before = Score(Adapter("\"peft_version\":\"0.18.1\",", inputFirst: false));
        now.Adapted.ShouldNotBe(now.Base);
        before.ShouldBe(now);
        Score(Adapter("\"peft_version\":\"0.18.1\",", inputFirst: true)).Adapted.ShouldNotBe(now.Adapted);
    }

    [Fact]
    public void Without_a_version_nothing_tells() =>
        Should.Throw<AdapterFormatException>(() => Score(Adapter(string.Empty, inputFirst: true))).Message.ShouldContain("square");

    private (double Base, double Adapted) Score(string adapter)
    {
        using var session = ScoringSession.Open(_folder.FullName, adapter);
        var score = session.Score(new TokenSequence([1, 5, 9, 3, 14, 2, 7], 1));
        return (score.Base.LogProbs.Sum(), score.Adapted!.LogProbs.Sum());
    }

    // The delta of expert e is b[e] a[e]. A lies on the input side, or on the output side with the two factors transposed in each other's place.
    private string Adapter(string version, bool inputFirst)
    {
        var folder = _folder.CreateSubdirectory(Guid.NewGuid().ToString("N")).FullName;
        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), $$"""
            {"peft_type":"LORA",{{version}}"r":{{Rank}},"lora_alpha":{{2 * Rank}},"target_modules":[],"target_parameters":["mlp.experts.gate_up_proj"]}
            """);
        var (first, second) = (new float[Rank * Experts * Width], new float[Width * Rank * Experts]);
        for (var e = 0; e < Experts; e++)
        {
            for (var r = 0; r < Rank; r++)
            {
                for (var i = 0; i < Width; i++)
                {
                    var (a, b) = (_a[e][(r * Width) + i], _b[e][(i * Rank) + r]);
                    first[(((e * Rank) + r) * Width) + i] = inputFirst ? a : b;
                    second[(i * Rank * Experts) + (r * Experts) + e] = inputFirst ? b : a;
                }
            }
        }

        const string Module = "base_model.model.model.layers.0.mlp.experts.";
        SafetensorsWriter.Write(Path.Combine(folder, "adapter_model.safetensors"), [
            new PlannedTensor(Module + "lora_A.weight", MemoryTensor.Of(first, Rank * Experts, Width)),
            new PlannedTensor(Module + "lora_B.weight", MemoryTensor.Of(second, Width, Rank * Experts)),
        ]);
        return folder;
    }

    private static PlannedTensor Tensor(string name, int seed, params long[] shape) =>
        new(name, MemoryTensor.Of(Numbers(seed, (int)shape.Aggregate(1L, (product, size) => product * size)), shape));

    private static float[] Numbers(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() - 0.5))];
    }
}
