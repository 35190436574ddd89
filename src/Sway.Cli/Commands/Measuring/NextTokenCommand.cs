using System.CommandLine;
using System.Text.Json.Nodes;
using Sway.Scoring;

namespace Sway.Cli.Commands.Measuring;

/// <summary><c>sway next-token</c>: what base and adapter expect after a prompt.</summary>
internal static class NextTokenCommand
{
    // A person looks at the first few; programs get all.
    private const int Shown = 10;

    internal static Command Create()
    {
        var command = new Command("next-token", "Give the most probable next tokens under the base and each adapter.");
        MeasureOptions measure = new MeasureOptions().AddTo(command);
        var prompt = new Option<string?>("--prompt") { Description = "One prompt.", HelpName = "TEXT" };
        var input = new Option<string?>("--input") { Description = "JSON Lines: id, prompt, or promptIds.", HelpName = "FILE" };
        Option<int> top = CommonOptions.Count("--top-k", "How many tokens.", "K", 256, least: 1);
        foreach (Option option in (Option[])[prompt, input, top])
        {
            command.Options.Add(option);
        }

        return command.Runs(context =>
        {
            List<InputItem> items = MeasureItems.Prompts(context.Value(input), context.Value(prompt));
            using ScoringSession session = measure.Open(context);
            var text = new TextTokens(session, measure.Bos(context));
            return measure.ForEachAdapter(context, session, run => run.ForEach(items, item =>
            {
                int[] ids = text.Prompt(item);
                Write(run, text, item.Id, ids.Length, NextToken.Predict(session, ids, context.Value(top), context.Token), items.Count > 1);
            }));
        });
    }

    private static void Write(MeasureRun run, TextTokens text, string id, int promptTokens, NextTokenDistribution found, bool isOneOfSeveral)
    {
        string[]? inBase = text.Encoder.Texts(found.Base.Ids);
        string[]? adapted = found.Adapted is null ? null : text.Encoder.Texts(found.Adapted.Ids);
        if (run.Context.Output.IsJson)
        {
            JsonObject line = run.Begin(id);
            line["promptTokenCount"] = promptTokens;
            line["base"] = View(found.Base, inBase);
            if (found.Adapted is { } other)
            {
                line["adapted"] = View(other, adapted);
            }

            line["vocabularySize"] = found.VocabularySize;
            run.Write(line);
            return;
        }

        if (isOneOfSeveral || run.IsOneOfSeveral)
        {
            run.Context.Output.Line($"{run.Label(id)}:");
        }

        for (int i = 0; i < Math.Min(Shown, found.Base.Ids.Length); i++)
        {
            string right = found.Adapted is { } other ? $"   {Place(other, adapted, i)}" : string.Empty;
            run.Context.Output.Line(Place(found.Base, inBase, i) + right);
        }
    }

    private static string Place(NextTokenView view, string[]? texts, int i) =>
        FormattableString.Invariant($"{texts?[i] ?? $"{view.Ids[i]}"}  {view.LogProbs[i]:F4}");

    private static JsonObject View(NextTokenView view, string[]? texts)
    {
        var result = new JsonObject { ["ids"] = MeasureLine.Array(view.Ids) };
        if (texts is not null)
        {
            result["tokens"] = MeasureLine.Array(texts);
        }

        result["logProbs"] = MeasureLine.Array(view.LogProbs);
        result["tailLogProb"] = view.TailLogProb is { } tail ? JsonValue.Create(tail) : null;
        return result;
    }
}
