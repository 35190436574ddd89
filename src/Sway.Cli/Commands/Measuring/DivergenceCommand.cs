using System.CommandLine;
using System.Text.Json.Nodes;
using Sway.Scoring;

namespace Sway.Cli.Commands.Measuring;

/// <summary><c>sway divergence</c>: how far an adapter moves the next-token distributions.</summary>
internal static class DivergenceCommand
{
    internal static Command Create()
    {
        var command = new Command("divergence", "Give the exact divergences between base and adapted distributions.");
        MeasureOptions measure = new MeasureOptions().AddTo(command);
        var file = new Option<string?>("--text-file") { Description = "One text.", HelpName = "FILE" };
        var input = new Option<string?>("--input") { Description = "JSON Lines: id, text, or ids.", HelpName = "FILE" };
        var prompt = new Option<string?>("--prompt") { Description = "One prompt.", HelpName = "TEXT" };
        var completion = new Option<string?>("--completion") { Description = "Its completion; only its positions count.", HelpName = "TEXT" };
        foreach (Option option in (Option[])[file, input, prompt, completion])
        {
            command.Options.Add(option);
        }

        return command.Runs(context =>
        {
            if (measure.Adapters(context).Length == 0)
            {
                throw new UsageException("divergence needs --adapter");
            }

            using ScoringSession session = measure.Open(context);
            var text = new TextTokens(session, measure.Bos(context));
            List<JsonObject> items = context.Value(prompt) is { } one
                ? [new JsonObject { ["id"] = "0", ["prompt"] = one, ["completion"] = context.Value(completion), ["text"] = one }]
                : [.. TextItems.Read(context.Value(file), context.Value(input))];
            return measure.ForEachAdapter(context, session, adapter =>
            {
                int code = ExitCode.Done;
                foreach (ScoredGroup<JsonObject> scored in session.ScoreGroups(items, Windows, true, null, context.Token))
                {
                    string id = MeasureInput.Id(scored.Item) ?? string.Empty;
                    if (scored.Error is { } error)
                    {
                        context.Output.Error(error, id);
                        code = ExitCode.Failed;
                        continue;
                    }

                    Write(context, session.Backend, id, adapter, [.. scored.Scores.Select(score => score.Divergence!)]);
                }

                return code;
            });

            IReadOnlyList<TokenSequence> Windows(JsonObject item) => item["completion"] is not null
                ? [text.Completion(item, BoundaryMode.Joint).Sequence]
                : text.Rolling(item, RollingPreset.Full).Plan(RollingPreset.Full, session.MaxPositions);
        });
    }

    private static void Write(CommandContext context, string backend, string id, string? adapter, IReadOnlyList<DivergenceScore> scores)
    {
        var all = new DivergenceScore(
            [.. scores.SelectMany(score => score.AdaptedBase)], [.. scores.SelectMany(score => score.BaseAdapted)],
            [.. scores.SelectMany(score => score.JensenShannon)]);
        var line = new JsonObject { ["id"] = id };
        if (adapter is not null)
        {
            line["adapter"] = adapter;
        }

        line["tokenCount"] = all.AdaptedBase.Length;
        if (all.AdaptedBase.Length > 0)
        {
            line["meanKlAdaptedBase"] = all.AdaptedBase.Average();
            line["meanKlBaseAdapted"] = all.BaseAdapted.Average();
            line["meanJs"] = all.JensenShannon.Average();
        }

        line["divergence"] = MeasureInput.Divergence(all);
        line["backend"] = backend;
        if (context.Output.IsJson)
        {
            MeasureInput.Write(context, line);
            return;
        }

        context.Output.Line(
            $"{id}{(adapter is null ? string.Empty : " " + adapter)}  tokens {all.AdaptedBase.Length}  mean KL {all.AdaptedBase.DefaultIfEmpty().Average():F6}  mean JS {all.JensenShannon.DefaultIfEmpty().Average():F6}");
    }
}
