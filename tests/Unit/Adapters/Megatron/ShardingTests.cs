using System.Globalization;
using System.Text.Json;
using Sway.Adapters;
using Sway.Conversion;
using Sway.Merging;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Adapters.Megatron;

/// <summary>The sharding of a run leaves no trace in what is converted, and both targets hold what was trained.</summary>
public sealed class ShardingTests
{
    public static TheoryData<string> Cases => [.. MegatronFixture.Cases];

    [Theory]
    [InlineData("lora", false)]
    [InlineData("lora", true)]
    [InlineData("canonical", false)]
    public void TheSameAdapterGivesTheSameBytes(string kind, bool numbered)
    {
        using var folder = new TemporaryFolder();
        byte[] whole = Convert(folder, kind, 1, numbered: false);

        foreach (int ranks in (int[])[2, 4])
        {
            Convert(folder, kind, ranks, numbered).ShouldBe(whole, $"{ranks} ranks");
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void MlxHoldsWhatWasTrained(string name)
    {
        using var folder = new TemporaryFolder();
        var fixture = new MegatronFixture(name);
        var options = new ConversionOptions { BaseModel = fixture.Base, Verify = true };
        AdapterConversionResult result = AdapterConverter.Convert(fixture.Checkpoint, folder.File("mlx"), options, cancellationToken: TestContext.Current.CancellationToken);

        result.VerifiedDifference.ShouldNotBeNull().ShouldBeLessThanOrEqualTo(result.Baked ? 1e-7 : 0);
        CheckMlx(result.FullName, fixture);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void BothWaysToPeftAgree(string name)
    {
        using var folder = new TemporaryFolder();
        var fixture = new MegatronFixture(name);
        CancellationToken token = TestContext.Current.CancellationToken;
        var peft = new ConversionOptions { Target = ConversionTarget.Peft, BaseModel = fixture.Base, TransformersVersion = 4, Verify = true };
        string direct = AdapterConverter.Convert(fixture.Checkpoint, folder.File("direct"), peft, cancellationToken: token).FullName;
        string mlx = AdapterConverter.Convert(fixture.Checkpoint, folder.File("mlx"), new ConversionOptions { BaseModel = fixture.Base }, cancellationToken: token).FullName;
        string around = AdapterConverter.Convert(mlx, folder.File("around"), peft, cancellationToken: token).FullName;

        using SafetensorsFile first = SafetensorsFile.Open(Path.Combine(direct, "adapter_model.safetensors"));
        using SafetensorsFile second = SafetensorsFile.Open(Path.Combine(around, "adapter_model.safetensors"));
        bool uniform = first.Tensors.Where(tensor => tensor.Name.EndsWith("lora_A.weight", StringComparison.Ordinal)).Select(tensor => tensor.Shape[0]).Distinct().Count() == 1;
        second.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal).ShouldBe(first.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
        if (uniform)
        {
            Assert.All(first.Tensors, tensor => Assert.Equal(first.Get(tensor).ToBytes(), second.Get(tensor.Name).ToBytes()));
        }

        if (!fixture.Truth.GetProperty("adapter_type").GetString()!.EndsWith("DoRA", StringComparison.Ordinal))
        {
            AdapterComparison comparison = AdapterComparer.Compare(direct, around, new ComparisonOptions { BaseModel = fixture.Base }, token);
            comparison.Modules.ShouldAllBe(row => row.In == "Both" && row.RelativeDifference <= (uniform ? 0 : 1e-7));
        }
    }

    /// <summary>scale * (lora_a @ lora_b)^T, or per expert scale * lora_b @ lora_a, against the factors that were trained.</summary>
    private static void CheckMlx(string folder, MegatronFixture fixture)
    {
        using JsonDocument config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "adapter_config.json")));
        double scale = config.RootElement.GetProperty("lora_parameters").GetProperty("scale").GetDouble();
        using SafetensorsFile written = SafetensorsFile.Open(Path.Combine(folder, "adapters.safetensors"));
        using SafetensorsFile trained = SafetensorsFile.Open(Path.Combine(fixture.TruthFolder, "expected_lora.safetensors"));
        foreach (JsonProperty module in fixture.Truth.GetProperty("modules").EnumerateObject())
        {
            double[] want = Product(trained.Get(module.Name + ".lora_B.weight"), trained.Get(module.Name + ".lora_A.weight"), module.Value.GetProperty("scale").GetDouble());
            string[] parts = module.Name.Split(".experts.");
            TensorExpression a, b;
            if (parts.Length == 2)
            {
                string[] rest = parts[1].Split('.');
                int expert = int.Parse(rest[0], CultureInfo.InvariantCulture);
                (a, b) = (written.Get($"{parts[0]}.switch_mlp.{rest[1]}.lora_a").Index(0, expert), written.Get($"{parts[0]}.switch_mlp.{rest[1]}.lora_b").Index(0, expert));
            }
            else
            {
                (a, b) = (written.Get(module.Name + ".lora_a").Transpose(), written.Get(module.Name + ".lora_b").Transpose());
            }

            double[] got = Product(b, a, scale);
            double size = want.Max(Math.Abs);
            got.Zip(want, (x, y) => Math.Abs(x - y)).Max().ShouldBeLessThanOrEqualTo(1e-6 * size, module.Name);
            if (trained.Find(module.Name + ".lora_magnitude_vector") is { } magnitude)
            {
                written.Get(module.Name + ".m").ToSingleArray().ShouldBe(trained.Get(magnitude).ToSingleArray());
            }
        }
    }

    private static double[] Product(TensorExpression left, TensorExpression right, double scale)
    {
        int rows = (int)left.Shape[0], inner = (int)left.Shape[1], columns = (int)right.Shape[1];
        double[] l = left.ToDoubleArray(), r = right.ToDoubleArray(), product = new double[rows * columns];
        for (int i = 0; i < product.Length; i++)
        {
            for (int k = 0; k < inner; k++)
            {
                product[i] += scale * l[((i / columns) * inner) + k] * r[(k * columns) + (i % columns)];
            }
        }

        return product;
    }

    /// <summary>A checkpoint of known numbers in two layers, converted to PEFT; the bytes of the tensors' file.</summary>
    private static byte[] Convert(TemporaryFolder folder, string kind, int ranks, bool numbered)
    {
        const int Layers = 2, Rank = 4, Hidden = 16, Heads = 8, Groups = 4, Size = 2, Feed = 24;
        string name = $"{kind}-{ranks}-{numbered}";
        var writer = new TorchDistWriter(folder.File(name));
        int seed = 0;

        // The first factor of layers that are cut along their input has its columns cut, every other tensor its rows.
        void Add(string layer, long rows, long columns, bool byColumns = false, Func<float[], float[]>? permute = null)
        {
            float[][] values = [.. Enumerable.Range(0, Layers).Select(_ => Values(rows * columns, seed++))];
            float[][] disk = permute is null ? values : Array.ConvertAll(values, v => permute(v));
            if (numbered)
            {
                for (int i = 0; i < Layers; i++)
                {
                    writer.Add($"decoder.layers.{i}.{layer}.weight", disk[i], [rows, columns], byColumns ? 1 : ranks, byColumns ? ranks : 1);
                }
            }
            else
            {
                writer.Add($"decoder.layers.{layer}.weight", [.. disk.SelectMany(v => v)], [Layers, rows, columns], Layers, byColumns ? 1 : ranks, byColumns ? ranks : 1);
            }
        }

        void Linear(string layer, long input, long output, bool cutInput = false, Func<float[], float[]>? permute = null)
        {
            Add(layer + ".linear_in", Rank, input, cutInput);
            Add(layer + ".linear_out", output, Rank, permute: permute);
        }

        // An adapter on one half of a gated layer is saved as if it were both halves: rank t's rows, cut in two.
        float[] Halves(float[] values)
        {
            int half = Feed / ranks / 2;
            float[] disk = new float[values.Length];
            for (int k = 0; k < Feed; k++)
            {
                int rank = k / (2 * half), which = k % (2 * half) / half;
                values.AsSpan(k * Rank, Rank).CopyTo(disk.AsSpan(((((which * ranks) + rank) * half) + (k % half)) * Rank));
            }

            return disk;
        }

        if (kind == "canonical")
        {
            Linear("self_attention.linear_qkv.adapter.adapter_q", Hidden, Heads * Size);
            Linear("self_attention.linear_qkv.adapter.adapter_k", Hidden, Groups * Size);
            Linear("self_attention.linear_qkv.adapter.adapter_v", Hidden, Groups * Size);
            Linear("mlp.linear_fc1.adapter.adapter_gate", Hidden, Feed, permute: Halves);
            Linear("mlp.linear_fc1.adapter.adapter_up", Hidden, Feed, permute: Halves);
        }
        else
        {
            Linear("self_attention.linear_qkv.adapter", Hidden, (Heads + (2 * Groups)) * Size);
            Linear("mlp.linear_fc1.adapter", Hidden, 2 * Feed);
        }

        Linear("self_attention.linear_proj.adapter", Heads * Size, Hidden, cutInput: true);
        Linear("mlp.linear_fc2.adapter", Feed, Hidden, cutInput: true);
        writer.Save(string.Join(
            '\n',
            "model:", $"  hidden_size: {Hidden}", $"  num_attention_heads: {Heads}", $"  num_query_groups: {Groups}", $"  kv_channels: {Size}",
            $"  tensor_model_parallel_size: {ranks}",
            "peft:", $"  _target_: megatron.bridge.peft.{(kind == "canonical" ? "canonical_lora.CanonicalLoRA" : "lora.LoRA")}", "  alpha: 8", ""));
        string model = folder.File("base");
        Directory.CreateDirectory(model);
        File.WriteAllText(Path.Combine(model, "config.json"), $$"""
            {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": {{Hidden}}, "num_attention_heads": {{Heads}},
             "num_key_value_heads": {{Groups}}, "head_dim": {{Size}}, "num_hidden_layers": {{Layers}}, "intermediate_size": {{Feed}}}
            """);
        var options = new ConversionOptions { Target = ConversionTarget.Peft, BaseModel = model, Verify = true };
        string output = AdapterConverter.Convert(folder.File(name), folder.File(name + "-peft"), options, cancellationToken: TestContext.Current.CancellationToken).FullName;
        return File.ReadAllBytes(Path.Combine(output, "adapter_model.safetensors"));
    }

    private static float[] Values(long count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, (int)count).Select(_ => random.NextSingle() - 0.5f)];
    }
}
