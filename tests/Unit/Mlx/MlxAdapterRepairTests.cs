using System.Text.Json;
using Sway.Adapters;
using Sway.Adapters.Mlx;
using Sway.Adapters.Mlx.Repair;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Mlx;

public sealed class MlxAdapterRepairTests
{
    public static TheoryData<string> Cases =>
        [.. Directory.GetDirectories(MlxFixture.Folder("repair", "")).Select(folder => Path.GetFileName(folder)!)
            .Where(name => !name.StartsWith("unsloth", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void FieldsAreThoseOfTraining(string name)
    {
        using var folder = new TemporaryFolder();
        string path = MlxFixture.Copy("repair", name, folder);
        JsonElement expected = MlxFixture.Expected("repair", name);
        JsonElement want = expected.GetProperty("repaired");
        var options = new AdapterRepairOptions { BaseModel = MlxFixture.Model(expected) };
        double scale = expected.GetProperty("true_scale_used_in_training").GetDouble();
        if (!expected.GetProperty("scale_can_be_known").GetBoolean())
        {
            ConversionRefusedException refused = Assert.Throws<ConversionRefusedException>(() => Repair(path, options));
            Assert.Equal(nameof(RefusalCategory.MissingScale), refused.Category);
            options = options with { Scale = scale };
        }

        AdapterRepairResult result = Repair(path, options);
        Assert.Equal(want.GetProperty("rank").GetInt32(), result.Rank);
        Assert.Equal(scale, result.Scale);
        Assert.Equal(want.GetProperty("fine_tune_type").GetString(), result.Method);

        // What was written is what was said, and a second repair finds nothing to do.
        AdapterRepairResult again = Repair(path, options with { Scale = null });
        Assert.False(again.Changed, string.Join(", ", again.Fields));
    }

    [Theory]
    [InlineData("flattened-as-is")]
    [InlineData("unsloth-per-module")]
    public void UpdatingTheLayoutKeepsEveryDelta(string name)
    {
        using var folder = new TemporaryFolder();
        string path = MlxFixture.Copy("repair", name, folder);
        AdapterRepairResult result = Repair(
            path, new AdapterRepairOptions { BaseModel = MlxFixture.Model(MlxFixture.Expected("repair", name)), UpdateLayout = true });
        Assert.NotEmpty(result.TensorChanges);
        using LoraAdapter before = MlxAdapterReader.Open(MlxFixture.Folder("repair", name));
        using LoraAdapter after = MlxAdapterReader.Open(path);
        Assert.Single(after.Modules.Select(module => (module.Rank, module.Scaling)).Distinct());
        foreach (LoraModule module in before.Modules)
        {
            LoraModule same = after.Modules.Single(candidate => candidate.Path == module.Path);
            MlxFixture.AssertClose(MlxFixture.Delta(module), MlxFixture.Delta(same), module.Path);
        }
    }

    [Fact]
    public void RanksOfTheirOwnAreRefusedWithoutTheUpdate()
    {
        using var folder = new TemporaryFolder();
        string path = MlxFixture.Copy("repair", "unsloth-per-module", folder);
        Assert.Throws<ConversionRefusedException>(() => Repair(path, new AdapterRepairOptions()));
    }

    [Fact]
    public void ArchivesBecomeSafetensors()
    {
        using var folder = new TemporaryFolder();
        string path = MlxFixture.Copy("repair", "legacy-npz-no-config", folder);
        Repair(path, new AdapterRepairOptions { Scale = 20, UpdateLayout = true });
        using SafetensorsFile written = SafetensorsFile.Open(folder.File("adapters.safetensors"));
        Assert.Equal(8, written.Tensors.Count);
    }

    [Fact]
    public void WhatIfWritesNothing()
    {
        using var folder = new TemporaryFolder();
        string path = MlxFixture.Copy("repair", "missing-rank", folder);
        byte[] before = File.ReadAllBytes(folder.File("adapter_config.json"));
        AdapterRepairResult result = Repair(path, new AdapterRepairOptions { WhatIf = true });
        Assert.True(result.Changed);
        Assert.Equal(before, File.ReadAllBytes(folder.File("adapter_config.json")));
        Assert.Equal(2, Directory.GetFiles(path).Length);
    }

    private static AdapterRepairResult Repair(string path, AdapterRepairOptions options) =>
        MlxAdapterRepair.Repair(path, options, TestContext.Current.CancellationToken);
}
