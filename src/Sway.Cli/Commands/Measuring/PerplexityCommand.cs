using System.CommandLine;
using System.Text.Json.Nodes;
using Sway.IO;
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
        var window = new Option<int>("--window") { Description = "Tokens of a window; 0 = the model's maximum.", HelpName = "N" };
        var stride = new Option<int>("--stride") { Description = "Tokens that windows of the preset full advance; 0 = half a window.", HelpName = "N" };
        foreach (Option option in (Option[])[file, input, preset, window, stride])
        {
            command.Options.Add(option);
        }

        return command.Runs(context =>
        {
            using ScoringSession session = measure.Open(context);
            var text = new TextTokens(session, measure.Bos(context));
            var items = TextItems.Read(context.Value(file), context.Value(input)).ToList();
            var texts = new Dictionary<JsonObject, RollingText>(ReferenceEqualityComparer.Instance);
            int length = context.Value(window) > 0 ? context.Value(window) : session.MaxPositions;
            return measure.ForEachAdapter(context, session, adapter =>
            {
                int code = ExitCode.Done;
                foreach (ScoredGroup<JsonObject> scored in session.ScoreGroups(items, Windows, false, null, context.Token))
                {
                    string id = MeasureInput.Id(scored.Item) ?? string.Empty;
                    if (scored.Error is { } error)
                    {
                        context.Output.Error(error, id);
                        code = ExitCode.Failed;
                        continue;
                    }

                    texts.Remove(scored.Item, out RollingText? rolling);
                    int? bytes = rolling!.ScoredBytes(context.Value(preset), length);
                    Write(context, session, id, adapter, bytes, scored.Scores, measure.Detailed(context));
                }

                return code;
            });

            IReadOnlyList<TokenSequence> Windows(JsonObject item)
            {
                RollingPreset rule = context.Value(preset);
                RollingText rolling = text.Rolling(item, rule);
                texts[item] = rolling;
                return rolling.Plan(rule, length, context.Value(stride));
            }
        });
    }

    private static void Write(
        CommandContext context, ScoringSession session, string id, string? adapter, int? bytes, IReadOnlyList<SequenceScore> scores, bool detailed)
    {
        var line = new JsonObject { ["id"] = id };
        if (adapter is not null)
        {
            line["adapter"] = adapter;
        }

        line["base"] = View([.. scores.SelectMany(score => score.Base.LogProbs)], bytes, detailed);
        if (session.HasAdapter)
        {
            line["adapted"] = View([.. scores.SelectMany(score => score.Adapted!.LogProbs)], bytes, detailed);
        }

        line["backend"] = session.Backend;
        if (context.Output.IsJson)
        {
            MeasureInput.Write(context, line);
            return;
        }

        string adapted = line["adapted"] is { } other ? $"  adapted {Number(other)}" : string.Empty;
        context.Output.Line($"{id}{(adapter is null ? string.Empty : " " + adapter)}  perplexity: base {Number(line["base"]!)}{adapted}");

        static string Number(JsonNode view) => view["perplexity"] is { } value ? value.GetValue<double>().ToString("F4", System.Globalization.CultureInfo.InvariantCulture) : "none";
    }

    private static JsonObject View(double[] logProbs, int? bytes, bool detailed)
    {
        double total = logProbs.Sum();
        var view = new JsonObject { ["logProb"] = total, ["tokenCount"] = logProbs.Length };
        if (logProbs.Length > 0)
        {
            view["perplexity"] = Math.Exp(-total / logProbs.Length);
        }

        if (bytes is > 0)
        {
            view["bitsPerByte"] = -total / Math.Log(2.0) / bytes.Value;
        }

        if (detailed)
        {
            view["tokenLogProbs"] = MeasureInput.Array(logProbs);
        }

        return view;
    }
}

/// <summary>Texts from a file, or items from a file of lines.</summary>
internal static class TextItems
{
    /// <summary>The items.</summary>
    internal static IEnumerable<JsonObject> Read(string? textFile, string? input)
    {
        if (input is not null)
        {
            return MeasureInput.Read(input);
        }

        return textFile is not null
            ? [new JsonObject { ["id"] = Path.GetFileNameWithoutExtension(textFile), ["text"] = TextFile.Read(ExistingPath.Of(textFile)) }]
            : throw new UsageException("give --text-file or --input");
    }
}
