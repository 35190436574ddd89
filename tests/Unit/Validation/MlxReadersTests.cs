using System.Text.Json;
using Sway.Unit.Mlx;
using Sway.Unit.Support;
using Sway.Validation;

namespace Sway.Unit.Validation;

/// <summary>What Sway says of mlx-lm's loaders is what they did with the same files.</summary>
public sealed class MlxReadersTests
{
    public static TheoryData<string> Repairs =>
        [.. Directory.GetDirectories(Repository.Fixture("mlx", "repair")).Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal)];

    public static TheoryData<string> Trained =>
        [.. Directory.GetDirectories(Repository.Fixture("mlx", "adapters")).Select(folder => Path.GetFileName(folder))
            .Where(name => !name.StartsWith("legacy", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Repairs))]
    public void Verdicts_are_what_the_loaders_did(string name)
    {
        JsonElement expected = MlxFixture.Expected("repair", name);
        LoraAdapterTestResult result = Test("repair", name, expected);
        Check(result, MlxReaders.Current, expected.GetProperty("mlx_lm_0.32.2"));
        Check(result, MlxReaders.Old, expected.GetProperty("mlx_lm_0.31.3"));
        bool works = Works(expected.GetProperty("mlx_lm_0.32.2")) ?? true;
        result.Findings.Any(finding => finding is { Severity: FindingSeverity.Error, Category: FindingCategory.Reader }).ShouldBe(!works);
    }

    [Theory]
    [MemberData(nameof(Trained))]
    public void What_mlx_lm_wrote_passes(string name)
    {
        LoraAdapterTestResult result = Test("adapters", name, MlxFixture.Expected("adapters", name));
        result.Passed.ShouldBeTrue(string.Join('\n', result.Findings));
        result.Readers.Where(verdict => verdict.Reader != MlxReaders.Swift).ShouldAllBe(verdict => verdict.IsRight);
        bool inSwift = result.Readers.Single(verdict => verdict.Reader == MlxReaders.Swift).IsRight;
        if (name.Contains("moe", StringComparison.Ordinal) || name.Contains("embedding", StringComparison.Ordinal) || name.Contains("mixed", StringComparison.Ordinal))
        {
            inSwift.ShouldBeFalse();
        }
    }

    private static LoraAdapterTestResult Test(string part, string name, JsonElement expected) => AdapterTester.Test(
        MlxFixture.Folder(part, name), new AdapterTestOptions { BaseModel = MlxFixture.Model(expected) }, TestContext.Current.CancellationToken);

    private static void Check(LoraAdapterTestResult result, string reader, JsonElement truth)
    {
        AdapterReaderVerdict verdict = result.Readers.Single(candidate => candidate.Reader == reader);
        if (Works(truth) is { } works)
        {
            verdict.IsRight.ShouldBe(works, verdict.Reason ?? "no reason");
            verdict.Loads.ShouldBe(truth.GetProperty("result").GetString() == "loads", verdict.Reason ?? "no reason");
        }
    }

    /// <summary>Null where the loader was not run.</summary>
    private static bool? Works(JsonElement truth) => truth.GetProperty("result").GetString() switch
    {
        "loads" => !truth.TryGetProperty("max_abs_logprob_diff_to_truth", out JsonElement difference) || difference.GetDouble() < 1e-4,
        "not run" => null,
        _ => false,
    };
}
