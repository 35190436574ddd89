using System.Text.Json;
using Sway.Adapters;
using Sway.Adapters.Mlx;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Mlx;

public sealed class MlxAdapterReaderTests
{
    [Theory]
    [InlineData("adapters", "lora-relative-keys")]
    [InlineData("adapters", "lora-tied-embedding")]
    [InlineData("adapters", "lora-mixed-keys")]
    [InlineData("adapters", "moe-mixtral")]
    [InlineData("adapters", "moe-qwen3-switch-only")]
    [InlineData("adapters", "legacy-flattened-qwen3-moe")]
    [InlineData("adapters", "legacy-0.14.0-alpha")]
    [InlineData("adapters", "legacy-0.0.14-npz")]
    [InlineData("repair", "unsloth-per-module")]
    [InlineData("repair", "unsloth-subset-paths")]
    public void DeltasAreThoseOfTraining(string part, string name)
    {
        JsonElement expected = MlxFixture.Expected(part, name);
        using LoraAdapter adapter = MlxAdapterReader.Open(MlxFixture.Folder(part, name));
        using TensorFile truth = SafetensorsFile.Open(TruthPath(part, name, expected));
        Assert.Empty(adapter.Obstacles);
        JsonProperty[] modules = [.. expected.GetProperty("modules").EnumerateObject()];
        Assert.Equal(modules.Select(module => module.Name).Order(StringComparer.Ordinal), adapter.Modules.Select(module => module.Path).Order(StringComparer.Ordinal));
        foreach (JsonProperty entry in modules)
        {
            LoraModule module = adapter.Modules.Single(candidate => candidate.Path == entry.Name);
            double[] want = truth.Get(entry.Value.GetProperty("delta").GetString()!).ToDoubleArray();
            MlxFixture.AssertClose(want, MlxFixture.Delta(module), module.Path);
        }
    }

    [Fact]
    public void UnsureScaleIsAnObstacle()
    {
        using LoraAdapter adapter = MlxAdapterReader.Open(MlxFixture.Folder("repair", "legacy-lora-layers-renamed"));
        Assert.Equal(RefusalCategory.MissingScale, Assert.Single(adapter.Obstacles).Category);
    }

    [Fact]
    public void WholeTensorsBesideFactorsAreAnObstacle()
    {
        using LoraAdapter adapter = MlxAdapterReader.Open(MlxFixture.Folder("repair", "unsloth-cpt-mixed"));
        Assert.Equal(RefusalCategory.MixedFullTensors, Assert.Single(adapter.Obstacles).Category);
        Assert.Equal(2, adapter.Extras.Count);
    }

    [Fact]
    public void BinaryDropoutIsRounded()
    {
        using LoraAdapter adapter = MlxAdapterReader.Open(MlxFixture.Folder("repair", "dropout-one-minus-p"));
        Assert.Equal(0.1, adapter.Dropout);
    }

    [Fact]
    public void DisagreeingRanksAreAnObstacle()
    {
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder.File("adapters.safetensors"), [
            new PlannedTensor("model.layers.0.self_attn.q_proj.lora_a", MemoryTensor.Range(6, 3)),
            new PlannedTensor("model.layers.0.self_attn.q_proj.lora_b", MemoryTensor.Range(2, 5)),
        ], cancellationToken: TestContext.Current.CancellationToken);
        File.WriteAllText(folder.File("adapter_config.json"), """{"num_layers": 1, "lora_parameters": {"rank": 3, "scale": 2.0, "dropout": 0.0}}""");
        using LoraAdapter adapter = MlxAdapterReader.Open(folder.Path);
        Assert.Equal(RefusalCategory.RankMismatch, Assert.Single(adapter.Obstacles).Category);
    }

    private static string TruthPath(string part, string name, JsonElement expected) => Path.GetFullPath(Path.Combine(
        MlxFixture.Folder(part, name),
        expected.TryGetProperty("expected_delta", out JsonElement other) ? other.GetString()! : "expected_delta.safetensors"));
}
