using System.Diagnostics;
using System.Globalization;

namespace Sway.Unit.Fuzzing;

/// <summary>
/// Every reader on changed files. By default a few rounds each; SWAY_FUZZ_SECONDS gives each target that time instead, SWAY_FUZZ_SEED
/// another start, SWAY_FUZZ_FINDINGS a folder that gets the files at fault.
/// </summary>
public sealed class FuzzTests
{
    private const int DefaultRounds = 20;

    public static TheoryData<string> Targets => [.. FuzzTarget.All.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Targets))]
    public void ChangedFilesGiveAResultOrATypedError(string name)
    {
        using var run = new FuzzRun(FuzzTarget.All.Single(target => target.Name == name));
        int seed = Setting("SWAY_FUZZ_SEED") ?? 1;
        var clock = Stopwatch.StartNew();
        if (Setting("SWAY_FUZZ_SECONDS") is { } seconds)
        {
            while (clock.Elapsed.TotalSeconds < seconds)
            {
                run.Round(seed++);
            }
        }
        else
        {
            for (int round = 0; round < DefaultRounds; round++)
            {
                run.Round(seed++);
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{run.Rounds} rounds, {run.Accepted} without an error, {clock.Elapsed.TotalSeconds:0.0} s");
        run.Findings.ShouldBeEmpty();
    }

    private static int? Setting(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out int value) ? value : null;
}
