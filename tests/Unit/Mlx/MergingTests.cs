using System.Text.Json;
using Sway.Adapters;
using Sway.Merging;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Mlx;

public sealed class MergingTests
{
    [Theory]
    [InlineData("peft-lora-llama-bf16")]
    [InlineData("peft-dora-llama-bf16")]
    [InlineData("peft-lora-gpt2-bf16")]
    public void MergedWeightsHavePeftsBits(string name)
    {
        using var folder = new TemporaryFolder();
        string model = Merge(name, folder);
        using SafetensorsFile truth = SafetensorsFile.Open(Path.Combine(MlxFixture.Folder("merge", name), "merged_changed.safetensors"));
        using SafetensorsFile written = SafetensorsFile.Open(Path.Combine(model, "model.safetensors"));
        Assert.All(truth.Tensors, tensor => Assert.Equal(truth.Get(tensor).ToBytes(), written.Get(tensor.Name).ToBytes()));
    }

    [Fact]
    public void MergedExpertsHavePeftsBitsInTheBasesLayout()
    {
        using var folder = new TemporaryFolder();
        string model = Merge("peft-lora-moe-bf16", folder);
        using SafetensorsFile truth = SafetensorsFile.Open(Path.Combine(MlxFixture.Folder("merge", "peft-lora-moe-bf16"), "merged_changed.safetensors"));
        using SafetensorsFile written = SafetensorsFile.Open(Path.Combine(model, "model.safetensors"));
        TensorExpression down = truth.Get("model.layers.1.mlp.experts.down_proj");
        TensorExpression gateUp = truth.Get("model.layers.1.mlp.experts.gate_up_proj");
        for (int expert = 0; expert < down.Shape[0]; expert++)
        {
            string path = FormattableString.Invariant($"model.layers.1.mlp.experts.{expert}.");
            Assert.Equal(down.Index(0, expert).ToBytes(), written.Get(path + "down_proj.weight").ToBytes());
            Assert.Equal(
                gateUp.Index(0, expert).ToBytes(),
                (byte[])[.. written.Get(path + "gate_proj.weight").ToBytes(), .. written.Get(path + "up_proj.weight").ToBytes()]);
        }
    }

    [Theory]
    [InlineData("cat#2", CombinationMethod.Cat)]
    [InlineData("cat#3", CombinationMethod.Cat)]
    [InlineData("linear#0", CombinationMethod.Linear)]
    [InlineData("linear#1", CombinationMethod.Linear)]
    [InlineData("svd#4", CombinationMethod.Svd)]
    [InlineData("svd#5", CombinationMethod.Svd)]
    [InlineData("ties#6", CombinationMethod.Ties)]
    [InlineData("ties#7", CombinationMethod.Ties)]
    [InlineData("magnitude_prune#8", CombinationMethod.MagnitudePrune)]
    [InlineData("ties_svd#9", CombinationMethod.TiesSvd)]
    [InlineData("magnitude_prune_svd#10", CombinationMethod.MagnitudePruneSvd)]
    public void CombinedDeltasArePefts(string key, CombinationMethod method)
    {
        using var folder = new TemporaryFolder();
        string source = MlxFixture.Folder("combine", "same-rank");
        JsonElement entry = MlxFixture.Expected("combine", "same-rank").GetProperty("cases").EnumerateArray().Single(item => item.GetProperty("key").GetString() == key);
        var options = new CombinationOptions
        {
            Method = method,
            Weights = [.. entry.GetProperty("weights").EnumerateArray().Select(value => value.GetDouble())],
            Rank = entry.TryGetProperty("svd_rank", out JsonElement rank) ? rank.GetInt32() : null,
            Density = entry.TryGetProperty("density", out JsonElement density) ? density.GetDouble() : 0.5,
            ElectByCount = entry.TryGetProperty("majority_sign_method", out JsonElement elect) && elect.GetString() == "frequency",
            BaseModel = Repository.Fixture("mlx", "models", "llama-untied"),
        };
        AdapterMergeResult result = AdapterCombiner.Combine(
            [Path.Combine(source, "adapter-a"), Path.Combine(source, "adapter-b")], folder.File("out"), options, cancellationToken: TestContext.Current.CancellationToken);
        using LoraAdapter combined = AdapterReader.Open(result.FullName);
        using SafetensorsFile truth = SafetensorsFile.Open(Path.Combine(source, "expected_delta.safetensors"));
        Assert.NotEmpty(combined.Modules);
        foreach (LoraModule module in combined.Modules)
        {
            MlxFixture.AssertClose(truth.Get($"{key}/{module.Path}").ToDoubleArray(), MlxFixture.Delta(module), module.Path);
        }
    }

    [Fact]
    public void AnAdapterEqualsItself()
    {
        string adapter = MlxFixture.Folder("combine", Path.Combine("same-rank", "adapter-a"));
        AdapterComparison comparison = AdapterComparer.Compare(adapter, adapter, cancellationToken: TestContext.Current.CancellationToken);
        Assert.All(comparison.Modules, row =>
        {
            Assert.Equal(1, row.Cosine!.Value, 1e-12);
            Assert.Equal(0, row.RelativeDifference);
            Assert.InRange(row.FirstEffectiveRank!.Value, 1, 4.0001);
        });
    }

    private static string Merge(string name, TemporaryFolder folder)
    {
        var options = new MergeOptions { BaseModel = MlxFixture.Model(MlxFixture.Expected("merge", name)) };
        return AdapterMerger.Merge(
            Path.Combine(MlxFixture.Folder("merge", name), "adapter"), folder.File("out"), options, cancellationToken: TestContext.Current.CancellationToken).FullName;
    }
}
