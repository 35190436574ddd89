using System.CommandLine;
using System.Text.Json.Nodes;
using Sway.Scoring;

namespace Sway.Cli.Commands.Measuring;

/// <summary><c>sway generate</c>: a continuation in both views.</summary>
internal static class GenerateCommand
{
    internal static Command Create()
    {
        var command = new Command("generate", "Continue a prompt under the base and the adapter.");
        MeasureOptions measure = new MeasureOptions().AddTo(command);
        var prompt = new Option<string?>("--prompt") { Description = "The prompt.", HelpName = "TEXT" };
        var input = new Option<string?>("--input") { Description = "JSON Lines: id, prompt, or promptIds.", HelpName = "FILE" };
        Option<int> count = CommonOptions.Count("--max-tokens", "The most tokens.", "N", 64, least: 1);
        Option<double> temperature = CommonOptions.Number("--temperature", "0 = always the most probable token.", "T", 0.0, value => value >= 0.0, "0 or more");
        Option<double> topP = CommonOptions.Number(
            "--top-p", "Probability mass to draw from.", "P", 1.0, value => value is > 0.0 and <= 1.0, "above 0 and at most 1");
        var seed = new Option<ulong>("--seed") { Description = "Seed of the draws.", HelpName = "S" };
        foreach (Option option in (Option[])[prompt, input, count, temperature, topP, seed])
        {
            command.Options.Add(option);
        }

        return command.Runs(context =>
        {
            if (context.Value(temperature) == 0.0 && (context.Gives(seed) || context.Gives(topP)))
            {
                throw new UsageException("--seed and --top-p have no effect without --temperature: the most probable token is taken");
            }

            List<InputItem> items = MeasureItems.Prompts(context.Value(input), context.Value(prompt));
            using ScoringSession session = measure.Open(context);
            var text = new TextTokens(session, measure.Bos(context));
            var settings = new GenerationSettings
            {
                MaxTokens = context.Value(count), Temperature = context.Value(temperature), TopP = context.Value(topP), Seed = context.Value(seed),
                EndTokens = text.Encoder.EndTokens(),
            };
            return measure.ForEachAdapter(context, session, run => run.ForEach(
                items, item => Generate(run, text, item, settings, items.Count > 1 || run.IsOneOfSeveral)));
        });
    }

    private static void Generate(MeasureRun run, TextTokens text, InputItem item, GenerationSettings settings, bool isOneOfSeveral)
    {
        int[] ids = text.Prompt(item);
        JsonObject inBase = View(false);
        JsonObject? adapted = run.Session.HasAdapter ? View(true) : null;
        if (run.Context.Output.IsJson)
        {
            JsonObject line = run.Begin(item.Id);
            line["promptTokenCount"] = ids.Length;
            line["base"] = inBase;
            if (adapted is not null)
            {
                line["adapted"] = adapted;
            }

            run.Write(line);
            return;
        }

        if (isOneOfSeveral)
        {
            run.Context.Output.Line($"{run.Label(item.Id)}:");
        }

        run.Context.Output.Line($"base: {Shown(inBase)}");
        if (adapted is not null)
        {
            run.Context.Output.Line($"adapted: {Shown(adapted)}");
        }

        JsonObject View(bool withAdapter)
        {
            IReadOnlyList<int> made = NextToken.Generate(run.Session, ids, withAdapter, settings, run.Context.Token);
            var view = new JsonObject();
            if (text.Encoder.Decode(made) is { } decoded)
            {
                view["text"] = decoded;
            }

            view["ids"] = MeasureLine.Array(made);
            view["end"] = made.Count > 0 && settings.EndTokens.Contains(made[^1]) ? "EndToken" : "MaxTokens";
            return view;
        }
    }

    private static string Shown(JsonObject view) => (view["text"] ?? view["ids"]!.ToJsonString()).ToString();
}
