using System.CommandLine;
using System.Globalization;
using System.Text.Json;
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
            Write(context.Output, null, tokenizer.Decode(ParseIds(ids), skipSpecial));
            return ExitCode.Done;
        }

        int code = ExitCode.Done;
        foreach ((string id, JsonElement item) in InputLines.Read(input!))
        {
            context.Token.ThrowIfCancellationRequested();
            code |= context.ForEach([id], _ => Write(context.Output, id, tokenizer.Decode(IdsOf(item), skipSpecial)));
        }

        return code;
    }

    private static int[] ParseIds(string text) =>
    [
        .. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(part =>
            int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                ? id
                : throw new UsageException($"'{part}' is not a token id.")),
    ];

    private static int[] IdsOf(JsonElement item)
    {
        if (!item.TryGetProperty("ids", out JsonElement ids) || ids.ValueKind != JsonValueKind.Array)
        {
            throw new TokenizationException("The line has no list 'ids'.");
        }

        return
        [
            .. ids.EnumerateArray().Select(id => id.ValueKind == JsonValueKind.Number && id.TryGetInt32(out int value)
                ? value
                : throw new TokenizationException("The line's 'ids' holds something that is not a token id.")),
        ];
    }

    private static void Write(CommandOutput output, string? id, string text)
    {
        if (output.IsJson)
        {
            output.Json(new TextLine(id, text), CliJson.Default.TextLine);
            return;
        }

        output.Line((id is null ? "" : id + ": ") + text);
    }
}
