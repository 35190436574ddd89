using System.Text.Json;
using Sway.Unit.Support;

namespace Sway.Unit.Cli;

public sealed class TestCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sway-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_sound_adapter_is_a_line_and_exit_code_0()
    {
        CommandRun run = CommandRun.Of("test", Repository.Sample("adapters", "bible"), "--json");

        run.Code.ShouldBe(0);
        JsonElement line = run.Json.ShouldHaveSingleItem();
        line.GetProperty("passed").GetBoolean().ShouldBeTrue();
        line.GetProperty("moduleCount").GetInt32().ShouldBe(28);
        line.GetProperty("findings").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public void One_adapter_that_is_not_sound_makes_exit_code_1_and_the_others_are_tested()
    {
        CommandRun run = CommandRun.Of("test", Repository.Sample("adapters", "broken"), Repository.Sample("adapters", "bible"), "--json");

        run.Code.ShouldBe(1);
        run.Json.Count.ShouldBe(2);
        JsonElement finding = run.Json[0].GetProperty("findings")[0];
        finding.GetProperty("severity").GetString().ShouldBe("Error");
        finding.GetProperty("category").GetString().ShouldBe("NonFinite");
        finding.GetProperty("modules").GetArrayLength().ShouldBe(1);
        finding.GetProperty("remedy").GetString().ShouldNotBeNullOrEmpty();
        run.Error.ShouldBeEmpty();
    }

    [Fact]
    public void The_reference_is_compared_and_the_difference_told()
    {
        string converted = Path.Combine(_folder, "bible");
        CommandRun.Of("convert", Repository.Sample("adapters", "bible"), "--to", "mlx", "--destination", converted).Code.ShouldBe(0);
        CommandRun same = CommandRun.Of("test", converted, "--reference", Repository.Sample("adapters", "bible"), "--base", Repository.Sample("base"));
        same.Code.ShouldBe(0);
        same.Output.ShouldContain("none");
        same.Output.Split('\n')[0].Length.ShouldBeLessThanOrEqualTo(100);
        CommandRun other = CommandRun.Of("test", converted, "--reference", Repository.Sample("adapters", "untrained"), "--base", Repository.Sample("base"));
        other.Code.ShouldBe(1);
        other.Output.ShouldContain("[Difference]");
    }

    [Fact]
    public void Usage_is_checked_before_anything_is_read()
    {
        string sample = Repository.Sample("adapters", "bible");
        CommandRun.Of("test", sample, "--tolerance", "-1").Code.ShouldBe(2);
        CommandRun.Of("test", sample, "--base", _folder, "--no-base").Code.ShouldBe(2);
        CommandRun.Of("test", sample, "--referense", sample).Code.ShouldBe(2);
        CommandRun missing = CommandRun.Of("test", Path.Combine(_folder, "nowhere"));
        missing.Code.ShouldBe(1);
        missing.Error.ShouldContain("does not exist");
    }
}
