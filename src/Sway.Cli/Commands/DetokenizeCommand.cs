using System.CommandLine;
using System.Globalization;
using Sway.Cli.Output;
using Sway.Tokenization;

namespace Sway.Cli.Commands;

/// <summary><c>sway detokenize</c>: ids to text.</summary>
internal static class DetokenizeCommand
{
    internal static Command Create()
    {
        Option<string> model = TokenizeCommand.Model();
        var skipSpecial = new Option<bool>("--skip-special") { Description = "Leave out special tokens." };
        Option<string?> ids = new("--ids") { Description = "Token ids, separated by commas.", HelpName = "1,2,3" };
        Option<string?> input = new("--input") { Description = "A JSON Lines file of {\"id\",\"ids\"}.", HelpName = "FILE.jsonl" };
        var command = new Command("detokenize", "Turn token ids back into text.") { model, skipSpecial, ids, input };
        return command.Runs(context =>
            Run(context, context.Value(model), context.Value(skipSpecial), context.Value(ids), context.Value(input)));
    }

    private static int Run(CommandContext context, string model, bool skipSpecial, string? ids, string? input)
    {
        if (ids is null == input is null)
        {
            throw new UsageException("Give --ids or --input, and not both.");
        }

        Tokenizer tokenizer = Tokenizer.Load(ExistingPath.Of(model));
        if (ids is not null)
        {
            Write(context.Output, tokenizer, null, ParseIds(ids), skipSpecial);
            return ExitCode.Done;
        }

        return context.ForEach(InputLines.Read(input!, "\"ids\""), item => Write(context.Output, tokenizer, item.Id, IdsOf(item), skipSpecial));
    }

    private static int[] ParseIds(string text) =>
    [
        .. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(part =>
            int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                ? id
                : throw new UsageException($"'{part}' is not a token id.")),
    ];

    private static int[] IdsOf(InputItem item) => item.Ids("ids") ?? throw item.Error("there is no \"ids\"");

    private static void Write(CommandOutput output, Tokenizer tokenizer, string? id, int[] ids, bool skipSpecial)
    {
        int[] unknown = [.. ids.Where(one => tokenizer.TokenText(one) is null).Distinct()];
        if (unknown.Length > 0)
        {
            string more = unknown.Length > 10 ? ", ..." : "";
            output.Message($"sway: {(id is null ? "" : $"item {id}: ")}the vocabulary has no token {string.Join(", ", unknown.Take(10))}{more}; the text goes on without it.");
        }

        string text = tokenizer.Decode(ids, skipSpecial);
        if (output.IsJson)
        {
            output.Json(new TextLine(id, text), CliJson.Default.TextLine);
            return;
        }

        output.Line((id is null ? "" : id + ": ") + text);
    }
}
