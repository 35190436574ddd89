using System.CommandLine;
using System.Globalization;
using Sway.Cli.Output;
using Sway.Tokenization;

namespace Sway.Cli.Commands;

/// <summary><c>sway tokenize</c>: text to ids.</summary>
internal static class TokenizeCommand
{
    internal static Command Create()
    {
        Argument<string?> text = new("TEXT")
        {
            Description = "The text; or use --input.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string> model = Model();
        var noSpecial = new Option<bool>("--no-special") { Description = "Leave out the start and end tokens that the tokenizer adds." };
        Option<string?> input = new("--input") { Description = "A JSON Lines file of {\"id\",\"text\"}.", HelpName = "FILE.jsonl" };
        var command = new Command("tokenize", "Give the token ids of texts, exactly as AutoTokenizer does.") { text, model, noSpecial, input };
        return command.Runs(context =>
            Run(context, context.Value(model), !context.Value(noSpecial), context.Value(text), context.Value(input)));
    }

    /// <summary>The option that names the model's folder.</summary>
    internal static Option<string> Model() => new("--model")
    {
        Description = "The model's folder, or any folder with a tokenizer.json.",
        HelpName = "DIR",
        Required = true,
    };

    private static int Run(CommandContext context, string model, bool special, string? text, string? input)
    {
        if (text is null == input is null)
        {
            throw new UsageException("Give a TEXT or --input, and not both.");
        }

        Tokenizer tokenizer = Tokenizer.Load(ExistingPath.Of(model));
        if (text is not null)
        {
            Write(context.Output, tokenizer, null, text, special);
            return ExitCode.Done;
        }

        return context.ForEach(InputLines.Read(input!, "\"text\""), item => Write(context.Output, tokenizer, item.Id, item.Needed("text"), special));
    }

    private static void Write(CommandOutput output, Tokenizer tokenizer, string? id, string text, bool special)
    {
        Encoding encoding = tokenizer.Encode(text, special);
        if (output.IsJson)
        {
            var line = new TokenLine(
                id,
                encoding.Ids,
                Array.ConvertAll(encoding.Ids, i => tokenizer.TokenText(i) ?? ""),
                Array.ConvertAll(encoding.ByteSpans, s => new[] { s.Start, s.End }));
            output.Json(line, CliJson.Default.TokenLine);
            return;
        }

        output.Line((id is null ? "" : id + ": ") + string.Join(' ', encoding.Ids.Select(i => i.ToString(CultureInfo.InvariantCulture))));
    }
}
