using Sway.Cli;

namespace Sway.Unit.Cli;

public sealed class UsageTests
{
    [Fact]
    public void Without_a_command_it_shows_help_and_where_to_begin()
    {
        CommandRun run = CommandRun.Of();

        run.Code.ShouldBe(2);
        run.Output.ShouldContain("convert <PATH>");
        run.Output.ShouldContain("sway quickstart");
    }

    [Theory]
    [InlineData("inspect")]
    [InlineData("convert", "x")]
    [InlineData("convert", "x", "--to", "onnx")]
    [InlineData("convert", "x", "--to", "1")]
    [InlineData("convert", "x", "--to", "mlx", "--allow-loss", "everything")]
    [InlineData("convert", "x", "--to", "mlx", "--transformers-version", "3")]
    [InlineData("convert", "x", "--to", "mlx", "--base", ".", "--no-base")]
    [InlineData("convert", "x", "--to", "mlx", "--base", "no-such-folder")]
    [InlineData("nothing-like-this")]
    [InlineData("inspect", "x", "--unknown")]
    public void Wrong_usage_is_exit_code_2_and_says_so_on_stderr(params string[] args)
    {
        CommandRun run = CommandRun.Of(args);

        run.Code.ShouldBe(2);
        run.Output.ShouldBeEmpty();
        run.Error.ShouldStartWith("sway: ");
    }

    [Fact]
    public void Every_command_is_found_alone_under_the_name_that_help_lists()
    {
        string[] names = [.. CommandLine.CreateRoot().Subcommands.Select(command => command.Name)];

        names.Length.ShouldBeGreaterThan(10);
        foreach (string name in names)
        {
            CommandRun run = CommandRun.Of(name, "--help");

            run.Code.ShouldBe(0, name);
            run.Output.ShouldContain($" {name} ", customMessage: name);
            run.Output.ShouldContain("--json", customMessage: name);
        }
    }

    [Fact]
    public void A_missing_path_is_one_failed_item()
    {
        CommandRun run = CommandRun.Of("inspect", "no-such-adapter", "--json");

        run.Code.ShouldBe(1);
        run.Json.ShouldHaveSingleItem().GetProperty("path").GetString().ShouldBe("no-such-adapter");
        run.Json[0].GetProperty("error").GetProperty("category").GetString().ShouldBe("PathNotFound");
        run.Error.Trim().ShouldNotContain("\n");
    }

    [Fact]
    public void The_doctor_finds_nothing_wrong_and_converts_its_own_adapter()
    {
        CommandRun run = CommandRun.Of("doctor", "--self-test", "--json");

        run.Error.ShouldBeEmpty();
        run.Json.Select(line => line.GetProperty("ok").GetBoolean()).ShouldAllBe(ok => ok);
        run.Json.Select(line => line.GetProperty("name").GetString()).ShouldContain("Self-test");
        run.Code.ShouldBe(0);
    }
}
