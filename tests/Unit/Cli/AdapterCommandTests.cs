using Sway.Unit.Support;

namespace Sway.Unit.Cli;

public sealed class AdapterCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sway-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Inspect_writes_the_names_of_the_cmdlet_in_camel_case()
    {
        CommandRun run = CommandRun.Of("inspect", Repository.Sample("adapters", "bible"), "--json");

        run.Code.ShouldBe(0);
        var line = run.Json.ShouldHaveSingleItem();
        line.GetProperty("format").GetString().ShouldBe("Peft");
        line.GetProperty("moduleCount").GetInt32().ShouldBe(28);
        line.GetProperty("scalings")[0].GetDouble().ShouldBe(2);
        line.GetProperty("problems").GetArrayLength().ShouldBe(0);
    }

    [Theory]
    [InlineData("inspect", "alice")]
    [InlineData("inspect", "alice", "--json", "law")]
    [InlineData("inspect", "--detailed", "broken", "--norms")]
    [InlineData("inspect", "--json", "missing", "bible")]
    [InlineData("inspect", "--json", "true", "bible")]
    [InlineData("inspect", "--json", "--json", "bible")]
    [InlineData("inspect", "--json")]
    [InlineData("inspect", "--adapter-name", "x", "bible")]
    [InlineData("inspect", "--", "bible")]
    [InlineData("inspect", "bible", "--wrong")]
    [InlineData("inspect", "@missing")]
    [InlineData("inspect", "")]
    public void Inspect_does_the_same_with_and_without_the_parser(params string[] words)
    {
        string[] args = [.. words.Select(word => char.IsAsciiLetter(word.FirstOrDefault()) && word is not ("inspect" or "true" or "x") ? Repository.Sample("adapters", word) : word)];
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };

        int code = Sway.Cli.CommandLine.RunParsed(args, output, error);

        CommandRun.Of(args).ShouldBe(new CommandRun(code, output.ToString(), error.ToString()));
    }

    [Fact]
    public void Inspect_shows_a_table_within_100_columns()
    {
        CommandRun run = CommandRun.Of("inspect", Repository.Sample("adapters", "alice"), Repository.Sample("mlx-adapters", "psalms"));

        run.Code.ShouldBe(0);
        run.Output.ShouldContain("psalms");
        run.Output.Split('\n').Max(line => line.Length).ShouldBeLessThanOrEqualTo(100);
    }

    [Fact]
    public void Convert_does_the_others_when_one_is_refused()
    {
        CommandRun run = CommandRun.Of(
            "convert", Repository.Sample("adapters", "broken"), Repository.Sample("adapters", "bible"),
            "--to", "mlx", "--destination", _folder, "--verify", "--json");

        run.Code.ShouldBe(1);
        run.Json.Count.ShouldBe(2);
        var error = run.Json[0].GetProperty("error");
        error.GetProperty("category").GetString().ShouldBe("NonFinite");
        error.GetProperty("tensors").GetArrayLength().ShouldBe(1);
        run.Json[1].GetProperty("verifiedDifference").GetDouble().ShouldBe(0);
        run.Error.Trim().ShouldNotContain("\n");
        Directory.GetDirectories(_folder).Select(Path.GetFileName).ShouldBe(["bible"]);
    }

    [Fact]
    public void Convert_needs_force_to_replace()
    {
        string output = Path.Combine(_folder, "out");
        string[] args = ["convert", Repository.Sample("adapters", "untrained"), "--to", "mlx", "--destination", output];

        CommandRun.Of(args).Code.ShouldBe(0);
        CommandRun second = CommandRun.Of(args);
        second.Code.ShouldBe(1);
        second.Error.ShouldContain("--force");
        CommandRun.Of([.. args, "--force"]).Code.ShouldBe(0);
    }

    [Fact]
    public void What_if_writes_nothing()
    {
        string output = Path.Combine(_folder, "out");

        CommandRun run = CommandRun.Of(
            "convert", Repository.Sample("adapters", "bible"), "--to", "mlx", "--destination", output, "--what-if");

        run.Code.ShouldBe(0);
        run.Output.ShouldContain("would be written");
        Directory.Exists(output).ShouldBeFalse();
    }

    [Fact]
    public void Explain_tells_the_fate_of_every_tensor()
    {
        CommandRun run = CommandRun.Of("explain", Repository.Sample("adapters", "bible"), "--to", "mlx", "--json");

        run.Code.ShouldBe(0);
        run.Json.Count.ShouldBe(56);
        run.Json.ShouldAllBe(line => line.GetProperty("outputs").GetArrayLength() == 1);
    }

    [Fact]
    public void Quickstart_ends_as_expected_with_its_broken_adapter_refused()
    {
        CommandRun run = CommandRun.Of("quickstart");

        run.Error.ShouldBeEmpty();
        run.Code.ShouldBe(0, run.Output);
        run.Output.ShouldContain("As expected: 5 converted, 1 refused; 6 measured, 1 refused");

        // The numbers of samples/README.md, which transformers and peft gave.
        run.Output.ShouldMatch(@"bible +\+0\.136 +\+2\.698 +\+0\.620 +-0\.575 +\+0\.438");
        run.Output.ShouldMatch(@"untrained +0 +0 +0 +0 +0 +0 +0");
        run.Output.ShouldContain("NonFinite");
        run.Output.ShouldContain("What to do next");
    }
}
