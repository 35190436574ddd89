using Sway.Adapters;
using Sway.Adapters.Megatron;
using Sway.Unit.Support;

namespace Sway.Unit.Adapters.Megatron;

/// <summary>What a run's configuration says decides whether the saved factors are what was trained.</summary>
public sealed class MegatronRunTests
{
    [Fact]
    public void ExpertsThatWereCutAlongTheirInputAreRefused()
    {
        var fixture = new MegatronFixture("moe-sequential-tp1-f32");
        using var folder = new TemporaryFolder();
        string copy = Copy(fixture.Checkpoint, folder.File("run"));
        var options = new AdapterOpenOptions { BaseModel = fixture.Base };
        using (MegatronAdapterReader.Open(copy, options))
        {
        }

        string path = Directory.GetFiles(copy, "run_config.yaml", SearchOption.AllDirectories).Single();
        File.WriteAllText(path, File.ReadAllText(path).Replace("expert_tensor_parallel_size: 1", "expert_tensor_parallel_size: 2", StringComparison.Ordinal));
        var refused = Should.Throw<ConversionRefusedException>(() => MegatronAdapterReader.Open(copy, options).Dispose());
        Refusal refusal = refused.Refusals.ShouldHaveSingleItem();
        refusal.Category.ShouldBe(RefusalCategory.Megatron);
        refusal.Modules.ShouldAllBe(module => module.EndsWith(".linear_fc2", StringComparison.Ordinal));
    }

    private static string Copy(string source, string target)
    {
        foreach (string file in Directory.GetFiles(source, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None }))
        {
            string place = Path.Combine(target, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(place)!);
            File.Copy(file, place);
        }

        return target;
    }
}
