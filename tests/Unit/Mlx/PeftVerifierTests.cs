using Sway.Adapters;
using Sway.Architectures;
using Sway.Conversion;
using Sway.Conversion.Peft;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Mlx;

/// <summary>The check of a written PEFT adapter finds what a wrong writer would do.</summary>
public sealed class PeftVerifierTests
{
    private static readonly string[] s_cases = ["lora-relative-keys", "moe-qwen3-switch-only", "dora-default-keys", "lora-tied-embedding"];

    public static TheoryData<string, int> Cases
    {
        get
        {
            var cases = new TheoryData<string, int>();
            foreach (string name in s_cases)
            {
                cases.Add(name, 4);
                cases.Add(name, 5);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ARightOutputDiffersByNothing(string name, int version)
    {
        using var folder = new TemporaryFolder();
        Verify(name, Convert(name, version, folder)).ShouldBe(0);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void OneWrongNumberIsFound(string name, int version)
    {
        using var folder = new TemporaryFolder();
        string output = Convert(name, version, folder);
        Rewrite(output, tensors =>
        {
            PlannedTensor first = tensors.First(tensor => tensor.Name.Contains("lora_B", StringComparison.Ordinal) || tensor.Name.Contains("lora_embedding_B", StringComparison.Ordinal));
            double[] values = first.Value.ToDoubleArray();
            values[values.Length / 2] += 0.01;
            tensors[tensors.IndexOf(first)] = first with { Value = TensorExpression.Computed(first.Name, first.Value.Shape, () => values).Cast(DType.F32) };
        });

        if (name == "lora-tied-embedding")
        {
            // The head no longer mirrors the embedding: that is no adapter of mlx-lm at all.
            Should.Throw<ConversionRefusedException>(() => Verify(name, output)).Refusals[0].Category.ShouldBe(RefusalCategory.TiedEmbedding);
            return;
        }

        Verify(name, output).ShouldBeGreaterThan(1e-6);
    }

    [Fact]
    public void AWrongMagnitudeIsFound()
    {
        using var folder = new TemporaryFolder();
        string output = Convert("dora-default-keys", 5, folder);
        Rewrite(output, tensors =>
        {
            int index = tensors.FindIndex(tensor => tensor.Name.EndsWith("lora_magnitude_vector", StringComparison.Ordinal));
            tensors[index] = tensors[index] with { Value = tensors[index].Value.Scale(1.001) };
        });

        Verify("dora-default-keys", output).ShouldBeGreaterThan(1e-6);
    }

    [Theory]
    [InlineData("\"lora_alpha\":", "\"lora_alpha\": 99, \"was\":")]
    [InlineData("\"use_rslora\": false", "\"use_rslora\": true")]
    public void AWrongConfigurationIsFound(string text, string wrong)
    {
        using var folder = new TemporaryFolder();
        string output = Convert("lora-relative-keys", 5, folder);
        string config = Path.Combine(output, "adapter_config.json");
        string before = File.ReadAllText(config);
        before.ShouldContain(text);
        File.WriteAllText(config, before.Replace(text, wrong, StringComparison.Ordinal));

        Verify("lora-relative-keys", output).ShouldBeGreaterThan(0.1);
    }

    [Fact]
    public void AMissingModuleIsFound()
    {
        using var folder = new TemporaryFolder();
        string output = Convert("lora-relative-keys", 5, folder);
        Rewrite(output, tensors =>
        {
            string path = tensors[0].Name.Split(".lora_")[0];
            tensors.RemoveAll(tensor => tensor.Name.StartsWith(path + ".lora_", StringComparison.Ordinal));
        });

        Verify("lora-relative-keys", output).ShouldBe(double.PositiveInfinity);
    }

    private static double Verify(string name, string output)
    {
        using LoraAdapter source = AdapterReader.Open(MlxFixture.Folder("adapters", name));
        using BaseModel model = BaseModel.Open(MlxFixture.Model(MlxFixture.Expected("adapters", name)));
        return PeftVerifier.LargestDifference(source, output, model, TestContext.Current.CancellationToken);
    }

    private static string Convert(string name, int version, TemporaryFolder folder)
    {
        var options = new ConversionOptions
        {
            Target = ConversionTarget.Peft,
            BaseModel = MlxFixture.Model(MlxFixture.Expected("adapters", name)),
            TransformersVersion = version,
        };
        return AdapterConverter.Convert(MlxFixture.Folder("adapters", name), folder.File("peft"), options, cancellationToken: TestContext.Current.CancellationToken).FullName;
    }

    private static void Rewrite(string output, Action<List<PlannedTensor>> change)
    {
        string path = Path.Combine(output, "adapter_model.safetensors");
        string copy = path + ".new";
        using (SafetensorsFile file = SafetensorsFile.Open(path))
        {
            var tensors = file.Tensors.Select(tensor => new PlannedTensor(tensor.Name, file.Get(tensor))).ToList();
            change(tensors);
            SafetensorsWriter.Write(copy, tensors, cancellationToken: TestContext.Current.CancellationToken);
        }

        File.Move(copy, path, overwrite: true);
    }
}
