using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Sway.Scoring;

namespace Sway.Cli.Commands.Measuring;

/// <summary><c>sway perplexity</c>: rolling log-probabilities of texts, base and adapted.</summary>
internal static class PerplexityCommand
{
    internal static Command Create()
    {
        var command = new Command("perplexity", "Give the perplexity of texts under the base and each adapter.");
        MeasureOptions measure = new MeasureOptions().AddTo(command);
        var file = new Option<string?>("--text-file") { Description = "One text.", HelpName = "FILE" };
        var input = new Option<string?>("--input") { Description = "JSON Lines: id, text, or ids.", HelpName = "FILE" };
        Option<RollingPreset> preset = CommonOptions.OneOf("--preset", "How windows are cut.", (RollingPreset?)RollingPreset.Full);
        Option<int> window = CommonOptions.Count("--window", "Tokens of a window; 0 = the model's maximum.", "N");
        Option<int> stride = CommonOptions.Count("--stride", "Tokens that windows of the preset full advance; 0 = half a window.", "N");
        foreach (Option option in (Option[])[file, input, preset, window, stride])
        {
            command.Options.Add(option);
        }

        return command.Runs(context =>
        {
            RollingPreset rule = context.Value(preset);
            if (context.Value(stride) > 0 && rule != RollingPreset.Full)
            {
                throw new UsageException($"--stride belongs to the preset full; {CommonOptions.Kebab(rule.ToString())} has its own rule");
            }

            List<InputItem> items = MeasureItems.Texts(context.Value(file), context.Value(input));
            using ScoringSession session = measure.Open(context);
            var text = new TextTokens(session, measure.Bos(context));
            int length = context.Value(window) > 0 ? context.Value(window) : session.MaxPositions;
            return measure.ForEachAdapter(context, session, run =>
            {
                var plans = new Dictionary<InputItem, Plan>(ReferenceEqualityComparer.Instance);
                return run.WriteAll(
                    progress => session.ScoreGroups(items, Windows, false, progress, context.Token),
                    scored => (scored.Item, scored.Error),
                    scored =>
                    {
                        plans.Remove(scored.Item, out Plan? plan);
                        Write(run, scored.Item.Id, plan!, scored.Scores, measure.Detailed(context));
                    });

                IReadOnlyList<TokenSequence> Windows(InputItem item)
                {
                    RollingText rolling = text.Rolling(item, rule);
                    var plan = new Plan(rule, length, rolling, rolling.Plan(rule, length, context.Value(stride)));
                    plans[item] = plan;
                    return plan.Windows;
                }
            });
        });
    }

    private static void Write(MeasureRun run, string id, Plan plan, IReadOnlyList<SequenceScore> scores, bool detailed)
    {
        double[] inBase = [.. scores.SelectMany(score => score.Base.LogProbs)];
        double[]? adapted = run.Session.HasAdapter ? [.. scores.SelectMany(score => score.Adapted!.LogProbs)] : null;
        if (!run.Context.Output.IsJson)
        {
            string other = adapted is null ? string.Empty : $"  adapted {Shown(adapted)}";
            run.Context.Output.Line($"{run.Label(id)}  perplexity: base {Shown(inBase)}{other}");
            return;
        }

        JsonObject line = run.Begin(id);
        line["tokenCount"] = inBase.Length;
        line["preset"] = plan.Preset.ToString();
        line["window"] = plan.Window;
        line["windowCount"] = plan.Windows.Count;
        line["bos"] = plan.Text.Bos.ToString();
        if (detailed)
        {
            line["tokenIds"] = MeasureLine.Array(plan.Windows.SelectMany(window => window.Ids.Skip(window.FirstScored)));
        }

        int? bytes = plan.Text.ScoredBytes(plan.Preset, plan.Window);
        line["base"] = View(inBase, bytes, detailed);
        if (adapted is not null)
        {
            line["adapted"] = View(adapted, bytes, detailed);
            double delta = adapted.Sum() - inBase.Sum();
            line["deltaLogProb"] = delta;
            if (adapted.Length > 0)
            {
                line["deltaPerToken"] = delta / adapted.Length;
            }
        }

        run.Write(line);
    }

    private static double? Perplexity(double[] logProbs) => logProbs.Length > 0 ? Math.Exp(-logProbs.Sum() / logProbs.Length) : null;

    private static string Shown(double[] logProbs) => Perplexity(logProbs)?.ToString("F4", CultureInfo.InvariantCulture) ?? "none";

    private static JsonObject View(double[] logProbs, int? bytes, bool detailed)
    {
        double total = logProbs.Sum();
        var view = new JsonObject { ["logProb"] = total, ["tokenCount"] = logProbs.Length };
        if (Perplexity(logProbs) is { } perplexity)
        {
            view["perplexity"] = perplexity;
        }

        if (bytes is > 0)
        {
            view["bitsPerByte"] = -total / Math.Log(2.0) / bytes.Value;
        }

        if (detailed)
        {
            view["tokenLogProbs"] = MeasureLine.Array(logProbs);
        }

        return view;
    }

    // How a text was cut, for its result to say.
    private sealed record Plan(RollingPreset Preset, int Window, RollingText Text, IReadOnlyList<TokenSequence> Windows);
}
