using System.CommandLine;
using System.Text.Json.Nodes;
using Sway.Scoring;

namespace Sway.Cli.Commands.Measuring;

/// <summary><c>sway score</c>: log-probabilities of completions, base and adapted.</summary>
internal static class ScoreCommand
{
    internal static Command Create()
    {
        var command = new Command("score", "Give the log-probabilities of completions under the base and each adapter.");
        MeasureOptions measure = new MeasureOptions().AddTo(command);
        var input = new Option<string?>("--input") { Description = "JSON Lines: id, prompt, completion, or promptIds, completionIds.", HelpName = "FILE" };
        var prompt = new Option<string?>("--prompt") { Description = "One prompt.", HelpName = "TEXT" };
        var completion = new Option<string?>("--completion") { Description = "Its completion.", HelpName = "TEXT" };
        var divergence = new Option<bool>("--divergence") { Description = "Exact divergences at each scored position too." };
        Option<BoundaryMode> boundary = CommonOptions.OneOf(
            "--boundary", "How prompt and completion become tokens.", (BoundaryMode?)BoundaryMode.Joint);
        foreach (Option option in (Option[])[input, prompt, completion, divergence, boundary])
        {
            command.Options.Add(option);
        }

        return command.Runs(context =>
        {
            List<InputItem> items = MeasureItems.Completions(context.Value(input), context.Value(prompt), context.Value(completion));
            using ScoringSession session = measure.Open(context);
            var text = new TextTokens(session, measure.Bos(context));
            return measure.ForEachAdapter(
                context, session, run => Score(run, text, items, context.Value(divergence), context.Value(boundary)));
        });
    }

    private static int Score(MeasureRun run, TextTokens text, List<InputItem> items, bool divergence, BoundaryMode boundary)
    {
        var pending = items.Select(item => new PendingScore(item));
        return run.WriteAll(
            progress => run.Session.ScoreItems(pending, one => one.Tokenize(text, boundary), divergence, progress, run.Context.Token),
            scored => (scored.Item.Item, scored.Error),
            scored => Write(run, text, scored.Item.Item.Id, scored.Item.Tokens!, scored.Score!));
    }

    private static void Write(MeasureRun run, TextTokens text, string id, CompletionTokens tokens, SequenceScore score)
    {
        double? delta = score.Adapted?.Total - score.Base.Total;
        if (!run.Context.Output.IsJson)
        {
            string change = score.Adapted is null ? string.Empty : $"  adapted {score.Adapted.Total:F4}  change {delta:+0.0000;-0.0000}";
            run.Context.Output.Line($"{run.Label(id)}  base {score.Base.Total:F4}{change}");
            return;
        }

        JsonObject line = run.Begin(id);
        int[] scored = [.. tokens.Sequence.Ids.Skip(tokens.Sequence.FirstScored)];
        line["tokenIds"] = MeasureLine.Array(scored);
        if (text.Encoder.Texts(scored) is { } texts)
        {
            line["tokens"] = MeasureLine.Array(texts);
        }

        line["tokenCount"] = scored.Length;
        line["promptTokenCount"] = tokens.Sequence.FirstScored;
        line["boundary"] = tokens.Boundary.ToString();
        if (tokens.MergedPromptBytes > 0)
        {
            line["mergedPromptBytes"] = tokens.MergedPromptBytes;
        }

        line["bos"] = tokens.Bos.ToString();
        line["base"] = View(score.Base);
        if (score.Adapted is { } adapted)
        {
            line["adapted"] = View(adapted);
            line["deltaLogProb"] = delta;
            line["deltaPerToken"] = delta / scored.Length;
        }

        if (score.Divergence is { } divergence)
        {
            line["divergence"] = MeasureLine.Divergence(divergence);
        }

        run.Write(line);
    }

    private static JsonObject View(ViewScore score) => new()
    {
        ["logProb"] = score.Total,
        ["tokenLogProbs"] = MeasureLine.Array(score.LogProbs),
        ["ranks"] = MeasureLine.Array(score.Ranks),
    };

    // An item on its way through a batch.
    private sealed class PendingScore(InputItem item)
    {
        public InputItem Item { get; } = item;

        public CompletionTokens? Tokens { get; private set; }

        public TokenSequence Tokenize(TextTokens text, BoundaryMode boundary) => (Tokens = text.Completion(Item, boundary)).Sequence;
    }
}
