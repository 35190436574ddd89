using System.Text.Json;
using Sway.Unit.Support;

namespace Sway.Unit.Cli;

public sealed class MergingCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sway-test-").FullName;

    private static string Bible => Repository.Sample("adapters", "bible");

    private static string Memorized => Repository.Sample("adapters", "memorized");

    private static string Psalms => Repository.Sample("mlx-adapters", "psalms");

    private static string Base => Repository.Sample("base");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Convert_to_peft_reads_its_output_back()
    {
        CommandRun run = CommandRun.Of("convert", Psalms, "--to", "peft", "--base", Base, "--destination", Path.Combine(_folder, "out"), "--verify", "--json");

        run.Code.ShouldBe(0, run.Error);
        JsonElement line = run.Json.ShouldHaveSingleItem();
        line.GetProperty("format").GetString().ShouldBe("Peft");
        line.GetProperty("verifiedDifference").GetDouble().ShouldBe(0);
    }

    [Fact]
    public void An_alpha_beside_a_recorded_one_is_refused()
    {
        string output = Path.Combine(_folder, "out");
        foreach (string[] args in (string[][])[[Psalms, "--to", "peft"], [Bible, "--to", "mlx"]])
        {
            CommandRun run = CommandRun.Of(["convert", .. args, "--base", Base, "--destination", output, "--alpha", "7"]);
            run.Code.ShouldBe(1);
            run.Error.ShouldContain("Leave the alpha out");
        }

        CommandRun.Of("convert", Bible, "--to", "mlx", "--base", Base, "--destination", output, "--alpha", "16").Code.ShouldBe(0);
        CommandRun.Of("convert", Psalms, "--to", "peft", "--base", Base, "--destination", output + "2", "--alpha", "30").Code.ShouldBe(0);
    }

    [Fact]
    public void Explain_tells_where_each_tensor_of_an_mlx_adapter_goes()
    {
        CommandRun run = CommandRun.Of("explain", Psalms, "--to", "peft", "--base", Base, "--json");

        run.Code.ShouldBe(0, run.Error);
        run.Json.Count.ShouldBe(42);
        run.Json.ShouldAllBe(line => line.GetProperty("outputs").GetArrayLength() == 1);
    }

    [Fact]
    public void Compare_gives_a_line_for_each_module_of_either_adapter()
    {
        CommandRun run = CommandRun.Of("compare", Repository.Sample("adapters", "untrained"), Bible, "--json");

        run.Code.ShouldBe(0, run.Error);
        run.Json.Count.ShouldBe(28);
        run.Json.Count(line => line.GetProperty("in").GetString() == "Both").ShouldBe(8);
        run.Json.ShouldAllBe(line => line.GetProperty("secondNorm").GetDouble() > 0);
        CommandRun.Of("compare", Bible, Memorized).Output.ShouldContain("Cosine");
    }

    [Fact]
    public void Compare_wants_one_base_or_none()
    {
        CommandRun.Of("compare", Bible, Memorized, "--base", Base, "--no-base").Code.ShouldBe(2);
        CommandRun.Of("compare", Bible).Code.ShouldBe(2);
    }

    [Fact]
    public void Merge_writes_a_model_and_foretells_it()
    {
        string output = Path.Combine(_folder, "out");
        string[] args = ["merge", Bible, "--destination", output, "--base", Base, "--json"];

        CommandRun planned = CommandRun.Of([.. args, "--what-if"]);
        planned.Code.ShouldBe(0, planned.Error);
        planned.Json[0].GetProperty("tensorCount").GetInt32().ShouldBe(28);
        Directory.Exists(output).ShouldBeFalse();

        CommandRun.Of(args).Json[0].GetProperty("writtenBytes").GetInt64().ShouldBeGreaterThan(1_000_000);
        CommandRun.Of(args).Code.ShouldBe(1);
        CommandRun.Of([.. args, "--force"]).Code.ShouldBe(0);
    }

    [Theory]
    [InlineData("cat", 12)]
    [InlineData("svd", 8)]
    [InlineData("ties-svd", 8)]
    [InlineData("magnitude-prune-svd", 8)]
    public void Merge_joins_several_adapters(string method, int rank)
    {
        CommandRun run = CommandRun.Of("merge", Bible, Memorized, "--destination", Path.Combine(_folder, "out"), "--method", method, "--weight", "0.7,0.3", "--json");

        run.Code.ShouldBe(0, run.Error);
        run.Json[0].GetProperty("rank").GetInt32().ShouldBe(rank);
    }

    [Theory]
    [InlineData("--weight", "1")]
    [InlineData("--weight", "1,x")]
    [InlineData("--density", "2")]
    [InlineData("--method", "average")]
    public void Merge_takes_no_nonsense(string option, string value) =>
        CommandRun.Of("merge", Bible, Memorized, "--destination", Path.Combine(_folder, "out"), option, value).Code.ShouldBe(2);

    [Fact]
    public void Merge_refuses_what_its_method_cannot_join()
    {
        CommandRun run = CommandRun.Of("merge", Bible, Memorized, "--destination", Path.Combine(_folder, "out"), "--method", "linear", "--json");

        run.Code.ShouldBe(1);
        run.Error.ShouldContain("RankMismatch");
        Directory.Exists(Path.Combine(_folder, "out")).ShouldBeFalse();
    }

    [Fact]
    public void Merge_refuses_an_adapter_whose_initialisation_changed_the_base()
    {
        string adapter = Path.Combine(_folder, "pissa");
        Copy(Bible, adapter);
        string config = Path.Combine(adapter, "adapter_config.json");
        string text = File.ReadAllText(config);
        text.ShouldContain("\"init_lora_weights\": true");
        File.WriteAllText(config, text.Replace("\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa\"", StringComparison.Ordinal));

        foreach (string[] args in (string[][])[["merge", adapter, "--base", Base], ["merge", adapter, Bible]])
        {
            CommandRun run = CommandRun.Of([.. args, "--destination", Path.Combine(_folder, "out")]);
            run.Code.ShouldBe(1);
            run.Error.ShouldContain("MutatedBase");
        }
    }

    [Fact]
    public void Repair_foretells_and_repairs()
    {
        string adapter = Path.Combine(_folder, "adapter");
        Copy(Repository.Fixture("mlx", "repair", "missing-rank"), adapter);
        string[] args = ["repair", adapter, "--base", Repository.Fixture("mlx", "models", "llama-untied"), "--json"];
        string before = File.ReadAllText(Path.Combine(adapter, "adapter_config.json"));

        CommandRun.Of([.. args, "--what-if"]).Json[0].GetProperty("changed").GetBoolean().ShouldBeTrue();
        File.ReadAllText(Path.Combine(adapter, "adapter_config.json")).ShouldBe(before);

        JsonElement line = CommandRun.Of(args).Json[0];
        line.GetProperty("fields").EnumerateArray().Select(field => field.GetProperty("name").GetString()).ShouldContain("lora_parameters.rank");
        CommandRun.Of(args).Json[0].GetProperty("changed").GetBoolean().ShouldBeFalse();
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.GetFiles(from))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        }
    }
}
