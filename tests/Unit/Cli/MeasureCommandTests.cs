using System.Text.Json;
using Sway.Unit.Support;

namespace Sway.Unit.Cli;

/// <summary>The measuring commands: their lines of JSON, and what becomes of broken input.</summary>
public sealed class MeasureCommandTests : IDisposable
{
    private static readonly string s_base = Repository.Sample("base");
    private static readonly string s_adapter = Repository.Sample("adapters", "bible");

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_broken_line_is_an_item_that_fails_in_its_place()
    {
        string input = Lines(
            """{"id":"a","prompt":"And God","completion":" said"}""",
            "{\"id\":\"b\",\"prompt\":",
            "",
            """{"id":"d","prompt":"And God"}""",
            """{"id":5,"prompt":"And","completion":7}""",
            """[1]""",
            """{"id":"g","prompt":"And","completion":" God","completion":" he"}""",
            """{"id":"h","promptIds":[1],"completionIds":[2,"3"]}""",
            """{"id":"i","promptIds":"1,2","completionIds":[2]}""",
            """{"id":"j","prompt":"\ud800","completion":" God"}""",
            """{"prompt":"And God","completion":" said"}""");

        CommandRun run = CommandRun.Of("score", "--model", s_base, "--input", input, "--json", "--no-cache");

        run.Code.ShouldBe(1);
        run.Json.Select(line => line.GetProperty("id").GetString()).ShouldBe(["a", "2", "d", "5", "6", "7", "h", "i", "10", "11"]);
        JsonElement[] failed = [.. run.Json.Where(line => line.TryGetProperty("error", out _)).Select(line => line.GetProperty("error"))];
        failed.Length.ShouldBe(8);
        failed.Select(error => error.GetProperty("category").GetString()).ShouldAllBe(category => category == "Input");
        failed.Select(error => error.GetProperty("remedy").GetString()).ShouldAllBe(remedy => remedy!.Contains("\"prompt\" and \"completion\""));
        string[] messages = [.. failed.Select(error => error.GetProperty("message").GetString()!)];
        messages[0].ShouldStartWith($"{input}, line 2: not JSON: ");
        messages[0].ShouldNotContain("LineNumber");
        messages[1].ShouldBe($"{input}, line 4: there is no \"completion\".");
        messages[2].ShouldBe($"{input}, line 5: \"completion\" is not a text.");
        messages[3].ShouldBe($"{input}, line 6: not a JSON object.");
        messages[4].ShouldStartWith($"{input}, line 7: not JSON");
        messages[5].ShouldBe($"{input}, line 8: \"completionIds\" holds \"3\", which is no token id.");
        messages[6].ShouldBe($"{input}, line 9: \"promptIds\" is not a list of token ids.");
        messages[7].ShouldStartWith($"{input}, line 10: ");
        run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length.ShouldBe(8);
        run.Json[^1].GetProperty("base").GetRawText().ShouldBe(run.Json[0].GetProperty("base").GetRawText());
    }

    [Theory]
    [InlineData("tokenize", "\"text\"")]
    [InlineData("detokenize", "\"ids\"")]
    [InlineData("next-token", "\"prompt\" or \"promptIds\"")]
    [InlineData("generate", "\"prompt\" or \"promptIds\"")]
    [InlineData("perplexity", "\"text\" or \"ids\"")]
    public void Every_command_says_what_a_right_line_has(string command, string form)
    {
        string input = Lines("nonsense", """{"id":"b"}""");

        CommandRun run = CommandRun.Of(command, "--model", s_base, "--input", input, "--json");

        run.Code.ShouldBe(1);
        run.Json.Select(line => line.GetProperty("id").GetString()).ShouldBe(["1", "b"]);
        run.Json.Select(line => line.GetProperty("error").GetProperty("remedy").GetString()).ShouldAllBe(remedy => remedy!.EndsWith($"with {form}."));
    }

    [Fact]
    public void Bytes_that_are_no_text_are_named_by_their_line()
    {
        string input = _folder.File("latin.jsonl");
        File.WriteAllBytes(input, [.. "{\"text\":\"a\"}\n{\"text\":\"caf"u8, 0xE9, .. "\"}\n"u8]);

        CommandRun run = CommandRun.Of("tokenize", "--model", s_base, "--input", input, "--json");

        run.Code.ShouldBe(1);
        run.Json[0].GetProperty("ids").GetArrayLength().ShouldBeGreaterThan(0);
        run.Json[1].GetProperty("error").GetProperty("message").GetString()!.ShouldStartWith($"{input}, line 2: ");
    }

    [Fact]
    public void Text_of_utf16_is_read_and_a_text_file_of_another_encoding_is_refused()
    {
        string input = _folder.File("wide.jsonl");
        File.WriteAllText(input, "{\"text\":\"d\u00E9j\u00E0\"}\r\n", System.Text.Encoding.Unicode);
        string plain = Lines("{\"text\":\"d\u00E9j\u00E0\"}");
        string latin = _folder.File("latin.txt");
        File.WriteAllBytes(latin, [0x63, 0x61, 0x66, 0xE9]);

        CommandRun.Of("tokenize", "--model", s_base, "--input", input, "--json").Output
            .ShouldBe(CommandRun.Of("tokenize", "--model", s_base, "--input", plain, "--json").Output);
        CommandRun run = CommandRun.Of("perplexity", "--model", s_base, "--text-file", latin, "--json");
        run.Code.ShouldBe(1);
        run.Json[0].GetProperty("path").GetString().ShouldBe(latin);
        run.Json[0].GetProperty("error").GetProperty("category").GetString().ShouldBe("Input");
    }

    [Theory]
    [InlineData("next-token")]
    [InlineData("generate")]
    public void Items_of_one_name_are_measured_each_by_itself(string command)
    {
        string input = Lines("""{"id":"x","prompt":"And God"}""", """{"id":"x","prompt":"KING RICHARD"}""");
        string alone = Lines("""{"id":"x","prompt":"KING RICHARD"}""");

        CommandRun run = CommandRun.Of(command, "--model", s_base, "--input", input, "--json");

        run.Json.Count.ShouldBe(2);
        run.Output.Split('\n')[1].ShouldBe(CommandRun.Of(command, "--model", s_base, "--input", alone, "--json").Output.TrimEnd());
        run.Output.Split('\n')[0].ShouldNotBe(run.Output.Split('\n')[1]);
    }

    [Theory]
    [InlineData("score", "--prompt", "And God", "--completion", " said")]
    [InlineData("perplexity", "--input", "*")]
    [InlineData("divergence", "--prompt", "And God", "--completion", " said")]
    [InlineData("next-token", "--prompt", "And God", "--top-k", "3")]
    [InlineData("generate", "--prompt", "And God", "--max-tokens", "3")]
    public void A_line_says_what_was_measured_and_how(params string[] words)
    {
        string[] args = [.. words.Select(word => word == "*" ? Lines("""{"text":"And God said"}""") : word)];

        CommandRun run = CommandRun.Of(
            [.. args, "--model", s_base, "--adapter", s_adapter, "--strength", "0.5", "--json", "--no-cache"]);

        run.Code.ShouldBe(0, run.Error);
        JsonElement line = run.Json.ShouldHaveSingleItem();
        line.GetProperty("adapter").GetString().ShouldBe(s_adapter);
        line.GetProperty("backend").GetString().ShouldBe("cpu");
        line.GetProperty("strength").GetDouble().ShouldBe(0.5);
        line.GetProperty("precision").GetString().ShouldBe("Float32");
        foreach (string name in words[0] switch
        {
            "score" => (string[])["tokenIds", "tokens", "tokenCount", "promptTokenCount", "boundary", "bos", "base", "adapted", "deltaLogProb", "deltaPerToken"],
            "perplexity" => ["tokenCount", "preset", "window", "windowCount", "bos", "base", "adapted", "deltaLogProb", "deltaPerToken"],
            "divergence" => ["tokenCount", "tokenIds", "bos", "meanKlAdaptedBase", "meanKlBaseAdapted", "meanJs", "maxJs", "divergence"],
            _ => ["promptTokenCount", "base", "adapted"],
        })
        {
            line.TryGetProperty(name, out _).ShouldBeTrue(name);
        }
    }

    [Fact]
    public void Divergence_takes_completions_as_tokens()
    {
        string ids = Lines("""{"id":"a","promptIds":[1022,314],"completionIds":[565]}""");
        string text = Lines("""{"id":"a","prompt":"And","completion":" God"}""");
        string[] rest = ["--model", s_base, "--adapter", s_adapter, "--json"];

        JsonElement first = CommandRun.Of(["divergence", "--input", ids, .. rest]).Json.ShouldHaveSingleItem();
        JsonElement second = CommandRun.Of(["divergence", "--input", text, .. rest]).Json.ShouldHaveSingleItem();

        first.GetProperty("divergence").GetRawText().ShouldBe(second.GetProperty("divergence").GetRawText());
    }

    [Theory]
    [InlineData("score", "--input", "x.jsonl", "--prompt", "p")]
    [InlineData("score", "--prompt", "p")]
    [InlineData("next-token", "--input", "x.jsonl", "--prompt", "p")]
    [InlineData("next-token", "--prompt", "p", "--top-k", "0")]
    [InlineData("perplexity", "--input", "x.jsonl", "--text-file", "x.txt")]
    [InlineData("perplexity", "--text-file", "x.txt", "--preset", "lm-eval", "--stride", "4")]
    [InlineData("perplexity", "--text-file", "x.txt", "--window", "-1")]
    [InlineData("divergence", "--adapter", "x", "--prompt", "p", "--input", "x.jsonl")]
    [InlineData("divergence", "--adapter", "x", "--text-file", "x.txt", "--completion", "c")]
    [InlineData("divergence", "--prompt", "p")]
    [InlineData("generate", "--prompt", "p", "--seed", "3")]
    [InlineData("generate", "--prompt", "p", "--top-p", "0.5")]
    [InlineData("generate", "--prompt", "p", "--temperature", "1", "--top-p", "0")]
    [InlineData("generate", "--prompt", "p", "--temperature", "-1")]
    [InlineData("generate", "--prompt", "p", "--max-tokens", "0")]
    [InlineData("score", "--prompt", "p", "--completion", "c", "--strength", "NaN")]
    [InlineData("score", "--prompt", "p", "--completion", "c", "--threads", "-2")]
    public void Options_that_contradict_each_other_are_wrong_usage(params string[] args)
    {
        CommandRun run = CommandRun.Of([.. args, "--model", s_base]);

        run.Code.ShouldBe(2, run.Error);
        run.Output.ShouldBeEmpty();
        run.Error.ShouldStartWith("sway: ");
    }

    [Theory]
    [InlineData(null, "it has no config.json")]
    [InlineData("{", "(line 1, byte 2)")]
    [InlineData("[]", "no model_type")]
    [InlineData("{}", "no model_type")]
    [InlineData("{\"model_type\":\"llama\"}", "no model.safetensors")]
    public void What_is_wrong_with_a_models_folder_is_said_of_the_model(string? config, string reason)
    {
        if (config is not null)
        {
            File.WriteAllText(_folder.File("config.json"), config);
        }

        CommandRun run = CommandRun.Of("score", "--model", _folder.Path, "--prompt", "a", "--completion", "b", "--json");

        run.Code.ShouldBe(1);
        JsonElement error = run.Json.ShouldHaveSingleItem().GetProperty("error");
        error.GetProperty("category").GetString().ShouldBe("ModelFormat");
        error.GetProperty("message").GetString()!.ShouldContain(reason);
        error.GetProperty("message").GetString()!.ShouldNotContain("LineNumber");
    }

    private string Lines(params string[] lines)
    {
        string path = _folder.File(Guid.NewGuid().ToString("N") + ".jsonl");
        File.WriteAllText(path, string.Concat(lines.Select(line => line + "\n")));
        return path;
    }
}
