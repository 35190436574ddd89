using System.Text.Json;
using Sway.Adapters;
using Sway.Conversion;
using Sway.Merging;
using Sway.Scoring;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Adapters.Megatron;

/// <summary>A checkpoint serves where any adapter does: in the engine, in merging, and as a stream of tensors.</summary>
public sealed class MegatronMeasureTests
{
    [Theory]
    [InlineData("lora-tp2-f32")]
    [InlineData("moe-sequential-ep2-f32")]
    public void TheEngineScoresItAsTheExportOfItsOwnTools(string name)
    {
        using var folder = new TemporaryFolder();
        var fixture = new MegatronFixture(name);
        string model = WithWeights(fixture.Base, folder);

        SequenceScore own = Score(model, fixture.Checkpoint), exported = Score(model, Path.Combine(fixture.TruthFolder, "bridge_export"));

        own.Adapted!.LogProbs.ShouldBe(exported.Adapted!.LogProbs);
        own.Adapted.LogProbs.Zip(own.Base.LogProbs, (x, y) => Math.Abs(x - y)).Max().ShouldBeGreaterThan(0.01);
    }

    [Theory]
    [InlineData("lora-tp2-f32")]
    [InlineData("dora-tp2-f32")]
    [InlineData("moe-sequential-ep2-f32")]
    public void MergingItIsMergingItsConversion(string name)
    {
        using var folder = new TemporaryFolder();
        var fixture = new MegatronFixture(name);
        string model = WithWeights(fixture.Base, folder);
        CancellationToken token = TestContext.Current.CancellationToken;
        var peft = new ConversionOptions { Target = ConversionTarget.Peft, BaseModel = model };
        string converted = AdapterConverter.Convert(fixture.Checkpoint, folder.File("peft"), peft, cancellationToken: token).FullName;
        var options = new MergeOptions { BaseModel = model };

        string first = AdapterMerger.Merge(fixture.Checkpoint, folder.File("first"), options, cancellationToken: token).FullName;
        string second = AdapterMerger.Merge(converted, folder.File("second"), options, cancellationToken: token).FullName;

        byte[] merged = File.ReadAllBytes(Path.Combine(first, "model.safetensors"));
        merged.ShouldBe(File.ReadAllBytes(Path.Combine(second, "model.safetensors")));
        merged.ShouldNotBe(File.ReadAllBytes(Path.Combine(model, "model.safetensors")));
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    [InlineData(DType.F64)]
    public void TheStreamRoundsEachElementOnce(DType dtype)
    {
        using LoraAdapter adapter = new MegatronFixture("dora-tp1-f32").Open();
        using SafetensorsFile trained = SafetensorsFile.Open(Path.Combine(new MegatronFixture("dora-tp1-f32").TruthFolder, "expected_lora.safetensors"));

        AdapterWeight[] weights = [.. AdapterWeightStream.Read(adapter, dtype, TestContext.Current.CancellationToken)];

        weights.Length.ShouldBe(3 * adapter.Modules.Count);
        foreach (AdapterWeight weight in weights)
        {
            weight.DType.ShouldBe(dtype);
            float[] exact = trained.Get(weight.Name).ToSingleArray();
            double[] got = new TensorView(new MemoryTensor(weight.Name, weight.Bytes), dtype, weight.Shape).ToDoubleArray();
            got.ShouldBe(Array.ConvertAll(exact, value => dtype switch
            {
                DType.BF16 => BFloat16(value),
                DType.F16 => (double)(Half)value,
                _ => value,
            }));
        }
    }

    [Fact]
    public void TheStreamGivesFactorsInPairsAndStops()
    {
        using LoraAdapter adapter = new MegatronFixture("moe-grouped-perexpert-ep2-norm-f32").Open();
        using var stop = new CancellationTokenSource();

        Should.Throw<OperationCanceledException>(() =>
        {
            string? before = null;
            foreach (AdapterWeight weight in AdapterWeightStream.Read(adapter, null, stop.Token))
            {
                (before is null ? ".lora_A.weight" : before.Replace(".lora_A.", ".lora_B.", StringComparison.Ordinal)).ShouldBe(
                    before is null ? weight.Name[^".lora_A.weight".Length..] : weight.Name);
                before = before is null ? weight.Name : null;
                if (weight.Name.Contains("layers.1", StringComparison.Ordinal))
                {
                    stop.Cancel();
                }
            }
        });
    }

    /// <summary>To the nearest number with 7 stored bits, ties to even: by arithmetic, not by bits.</summary>
    private static double BFloat16(float value)
    {
        if (value == 0)
        {
            return value;
        }

        double unit = Math.ScaleB(1, Math.Max(Math.ILogB(value), -126) - 7);
        return Math.Round(value / unit, MidpointRounding.ToEven) * unit;
    }

    private static SequenceScore Score(string model, string adapter)
    {
        using ScoringSession session = ScoringSession.Open(model, adapter);
        return session.Score(new TokenSequence([.. Enumerable.Range(0, 12).Select(i => (17 * i) % 120)], 1));
    }

    /// <summary>A copy of a base model's configuration with weights of known numbers.</summary>
    private static string WithWeights(string model, TemporaryFolder folder)
    {
        string copy = folder.File("base");
        Directory.CreateDirectory(copy);
        File.Copy(Path.Combine(model, "config.json"), Path.Combine(copy, "config.json"));
        using JsonDocument config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(copy, "config.json")));
        var random = new Random(5);
        PlannedTensor[] tensors = [.. Shapes(config.RootElement).Select(entry => new PlannedTensor(entry.Name, Weights(random, entry.Shape)))];
        SafetensorsWriter.Write(Path.Combine(copy, "model.safetensors"), tensors, cancellationToken: TestContext.Current.CancellationToken);
        return copy;
    }

    private static TensorExpression Weights(Random random, long[] shape) => MemoryTensor.Of(
        [.. Enumerable.Range(0, (int)shape.Aggregate(1L, (product, size) => product * size)).Select(_ => shape.Length == 1 ? 1 + (0.1f * random.NextSingle()) : 0.4f * (random.NextSingle() - 0.5f))],
        shape);

    private static IEnumerable<(string Name, long[] Shape)> Shapes(JsonElement config)
    {
        long Size(string name) => config.GetProperty(name).GetInt64();
        long hidden = Size("hidden_size"), head = Size("head_dim"), vocabulary = Size("vocab_size");
        long queries = Size("num_attention_heads") * head, keys = Size("num_key_value_heads") * head;
        bool experts = config.TryGetProperty("num_local_experts", out JsonElement count);
        yield return ("model.embed_tokens.weight", [vocabulary, hidden]);
        yield return ("lm_head.weight", [vocabulary, hidden]);
        yield return ("model.norm.weight", [hidden]);
        for (int layer = 0; layer < Size("num_hidden_layers"); layer++)
        {
            string path = $"model.layers.{layer}.";
            yield return (path + "input_layernorm.weight", [hidden]);
            yield return (path + "post_attention_layernorm.weight", [hidden]);
            yield return (path + "self_attn.q_proj.weight", [queries, hidden]);
            yield return (path + "self_attn.k_proj.weight", [keys, hidden]);
            yield return (path + "self_attn.v_proj.weight", [keys, hidden]);
            yield return (path + "self_attn.o_proj.weight", [hidden, queries]);
            if (experts)
            {
                yield return (path + "self_attn.q_norm.weight", [head]);
                yield return (path + "self_attn.k_norm.weight", [head]);
                yield return (path + "mlp.gate.weight", [count.GetInt64(), hidden]);
            }

            for (int expert = 0; expert < (experts ? count.GetInt32() : 1); expert++)
            {
                string owner = experts ? $"{path}mlp.experts.{expert}." : path + "mlp.";
                long width = Size(experts ? "moe_intermediate_size" : "intermediate_size");
                yield return (owner + "gate_proj.weight", [width, hidden]);
                yield return (owner + "up_proj.weight", [width, hidden]);
                yield return (owner + "down_proj.weight", [hidden, width]);
            }
        }
    }
}
