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
        var input = new Option<string?>("--input") { Description = "JSON Lines: id, text, or ids, or as for score.", HelpName = "FILE" };
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

            List<InputItem> items = Items(context.Value(file), context.Value(input), context.Value(prompt), context.Value(completion));
            using ScoringSession session = measure.Open(context);
            var text = new TextTokens(session, measure.Bos(context));
            return measure.ForEachAdapter(context, session, run =>
            {
                var plans = new Dictionary<InputItem, Plan>(ReferenceEqualityComparer.Instance);
                return run.WriteAll(
                    progress => session.ScoreGroups(
                        items, item => (plans[item] = Plan.Of(item, text, session)).Windows, true, progress, context.Token),
                    scored => (scored.Item, scored.Error),
                    scored =>
                    {
                        plans.Remove(scored.Item, out Plan? plan);
                        Write(run, scored.Item.Id, plan!, [.. scored.Scores.Select(score => score.Divergence!)]);
                    });
            });
        });
    }

    private static List<InputItem> Items(string? file, string? input, string? prompt, string? completion)
    {
        MeasureItems.Exclude(prompt, "--prompt", (file, "--text-file"), (input, "--input"));
        if (prompt is null)
        {
            return completion is null
                ? MeasureItems.Texts(file, input, "\"text\" or \"ids\", or \"prompt\" and \"completion\"")
                : throw new UsageException("--completion needs --prompt");
        }

        return
        [
            InputItem.Of(completion is null
                ? new JsonObject { ["text"] = prompt }
                : new JsonObject { ["prompt"] = prompt, ["completion"] = completion }),
        ];
    }

    private static void Write(MeasureRun run, string id, Plan plan, IReadOnlyList<DivergenceScore> scores)
    {
        var all = new DivergenceScore(
            [.. scores.SelectMany(score => score.AdaptedBase)], [.. scores.SelectMany(score => score.BaseAdapted)],
            [.. scores.SelectMany(score => score.JensenShannon)]);
        int count = all.AdaptedBase.Length;
        if (!run.Context.Output.IsJson)
        {
            run.Context.Output.Line(
                $"{run.Label(id)}  tokens {count}  mean KL {all.AdaptedBase.DefaultIfEmpty().Average():F6}  mean JS {all.JensenShannon.DefaultIfEmpty().Average():F6}");
            return;
        }

        JsonObject line = run.Begin(id);
        line["tokenCount"] = count;
        line["tokenIds"] = MeasureLine.Array(plan.Windows.SelectMany(window => window.Ids.Skip(window.FirstScored)));
        line["bos"] = plan.Bos.ToString();
        if (count > 0)
        {
            line["meanKlAdaptedBase"] = all.AdaptedBase.Average();
            line["meanKlBaseAdapted"] = all.BaseAdapted.Average();
            line["meanJs"] = all.JensenShannon.Average();
            line["maxJs"] = all.JensenShannon.Max();
        }

        line["divergence"] = MeasureLine.Divergence(all);
        run.Write(line);
    }

    // What is compared of an item, and what was done about a start token.
    private sealed record Plan(BosAction Bos, IReadOnlyList<TokenSequence> Windows)
    {
        internal static Plan Of(InputItem item, TextTokens text, ScoringSession session)
        {
            if (TextTokens.IsCompletion(item))
            {
                CompletionTokens tokens = text.Completion(item, BoundaryMode.Joint);
                return new Plan(tokens.Bos, [tokens.Sequence]);
            }

            RollingText rolling = text.Rolling(item, RollingPreset.Full);
            return new Plan(rolling.Bos, rolling.Plan(RollingPreset.Full, session.MaxPositions));
        }
    }
}
