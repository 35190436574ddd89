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
            using ScoringSession session = measure.Open(context);
            var items = Items(context.Value(input), context.Value(prompt), context.Value(completion)).ToList();
            var text = new TextTokens(session, measure.Bos(context));
            return measure.ForEachAdapter(
                context, session, adapter => Score(context, session, text, items, adapter, context.Value(divergence), context.Value(boundary)));
        });
    }

    private static IEnumerable<JsonObject> Items(string? input, string? prompt, string? completion)
    {
        if (input is not null)
        {
            return MeasureInput.Read(input);
        }

        return prompt is not null && completion is not null
            ? [new JsonObject { ["id"] = "0", ["prompt"] = prompt, ["completion"] = completion }]
            : throw new UsageException("score needs --input, or --prompt and --completion");
    }

    private static int Score(
        CommandContext context, ScoringSession session, TextTokens text, List<JsonObject> items, string? adapter, bool divergence,
        BoundaryMode boundary)
    {
        int code = ExitCode.Done;
        var pending = items.Select(item => new PendingScore(item));
        foreach (ScoredItem<PendingScore> scored in session.ScoreItems(pending, one => one.Tokenize(text, boundary), divergence, null, context.Token))
        {
            string id = MeasureInput.Id(scored.Item.Item) ?? string.Empty;
            if (scored.Score is { } score)
            {
                Write(context, session, text, id, adapter, scored.Item.Tokens!, score);
                continue;
            }

            context.Output.Error(scored.Error!, id);
            code = ExitCode.Failed;
        }

        return code;
    }

    private static void Write(
        CommandContext context, ScoringSession session, TextTokens text, string id, string? adapter, CompletionTokens tokens, SequenceScore score)
    {
        if (!context.Output.IsJson)
        {
            string change = score.Adapted is null ? string.Empty : $"  adapted {score.Adapted.Total:F4}  change {score.Adapted.Total - score.Base.Total:+0.0000;-0.0000}";
            context.Output.Line($"{id}{(adapter is null ? string.Empty : " " + adapter)}  base {score.Base.Total:F4}{change}");
            return;
        }

        var line = new JsonObject { ["id"] = id };
        if (adapter is not null)
        {
            line["adapter"] = adapter;
        }

        line["tokenIds"] = MeasureInput.Array(tokens.Sequence.Ids.Skip(tokens.Sequence.FirstScored));
        if (text.Encoder.Texts(tokens.Sequence.Ids.Skip(tokens.Sequence.FirstScored)) is { } texts)
        {
            line["tokens"] = new JsonArray([.. texts.Select(token => (JsonNode)JsonValue.Create(token))]);
        }

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
            line["deltaLogProb"] = adapted.Total - score.Base.Total;
        }

        if (score.Divergence is { } divergence)
        {
            line["divergence"] = MeasureInput.Divergence(divergence);
        }

        line["backend"] = session.Backend;
        MeasureInput.Write(context, line);
    }

    // An item on its way through a batch.
    private sealed class PendingScore(JsonObject item)
    {
        public JsonObject Item { get; } = item;

        public CompletionTokens? Tokens { get; private set; }

        public TokenSequence Tokenize(TextTokens text, BoundaryMode boundary) => (Tokens = text.Completion(Item, boundary)).Sequence;
    }

    private static JsonObject View(ViewScore score) => new()
    {
        ["logProb"] = score.Total,
        ["tokenLogProbs"] = MeasureInput.Array(score.LogProbs),
        ["ranks"] = MeasureInput.Array(score.Ranks),
    };
}
