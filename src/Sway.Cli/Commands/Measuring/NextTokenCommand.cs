using System.CommandLine;
using System.Text.Json.Nodes;
using Sway.Scoring;

namespace Sway.Cli.Commands.Measuring;

/// <summary><c>sway next-token</c> and <c>sway generate</c>.</summary>
internal static class NextTokenCommand
{
    internal static Command Create()
    {
        var command = new Command("next-token", "Give the most probable next tokens under the base and each adapter.");
        MeasureOptions measure = new MeasureOptions().AddTo(command);
        var prompt = new Option<string?>("--prompt") { Description = "One prompt.", HelpName = "TEXT" };
        var input = new Option<string?>("--input") { Description = "JSON Lines: id, prompt, or promptIds.", HelpName = "FILE" };
        var top = new Option<int>("--top-k") { Description = "How many tokens.", HelpName = "K", DefaultValueFactory = _ => 256 };
        foreach (Option option in (Option[])[prompt, input, top])
        {
            command.Options.Add(option);
        }

        return command.Runs(context =>
        {
            using ScoringSession session = measure.Open(context);
            var text = new TextTokens(session, measure.Bos(context));
            List<JsonObject> items = PromptItems(context.Value(prompt), context.Value(input));
            return measure.ForEachAdapter(context, session, adapter => context.ForEach(items.Select(item => MeasureInput.Id(item) ?? string.Empty), id =>
            {
                JsonObject item = items.First(one => string.Equals(MeasureInput.Id(one) ?? string.Empty, id, StringComparison.Ordinal));
                NextTokenDistribution found = NextToken.Predict(session, text.Prompt(item), context.Value(top), context.Token);
                var line = new JsonObject { ["id"] = id };
                if (adapter is not null)
                {
                    line["adapter"] = adapter;
                }

                line["base"] = View(text, found.Base);
                if (found.Adapted is { } adapted)
                {
                    line["adapted"] = View(text, adapted);
                }

                line["vocabularySize"] = found.VocabularySize;
                line["backend"] = session.Backend;
                Show(context, line, found);
            }));
        });
    }

    /// <summary>Prompts from an option or a file.</summary>
    internal static List<JsonObject> PromptItems(string? prompt, string? input)
    {
        if (input is not null)
        {
            return [.. MeasureInput.Read(input)];
        }

        return prompt is not null ? [new JsonObject { ["id"] = "0", ["prompt"] = prompt }] : throw new UsageException("give --prompt or --input");
    }

    private static JsonObject View(TextTokens text, NextTokenView view)
    {
        var result = new JsonObject { ["ids"] = MeasureInput.Array(view.Ids) };
        if (text.Encoder.Texts(view.Ids) is { } texts)
        {
            result["tokens"] = new JsonArray([.. texts.Select(token => (JsonNode)JsonValue.Create(token))]);
        }

        result["logProbs"] = MeasureInput.Array(view.LogProbs);
        result["tailLogProb"] = view.TailLogProb is { } tail ? JsonValue.Create(tail) : null;
        return result;
    }

    private static void Show(CommandContext context, JsonObject line, NextTokenDistribution found)
    {
        if (context.Output.IsJson)
        {
            MeasureInput.Write(context, line);
            return;
        }

        for (int i = 0; i < Math.Min(10, found.Base.Ids.Length); i++)
        {
            string adapted = found.Adapted is { } other ? $"   {line["adapted"]!["tokens"]?[i] ?? other.Ids[i]}  {other.LogProbs[i]:F4}" : string.Empty;
            context.Output.Line($"{line["base"]!["tokens"]?[i] ?? found.Base.Ids[i]}  {found.Base.LogProbs[i]:F4}{adapted}");
        }
    }
}

/// <summary><c>sway generate</c>: a continuation in both views.</summary>
internal static class GenerateCommand
{
    internal static Command Create()
    {
        var command = new Command("generate", "Continue a prompt under the base and the adapter.");
        MeasureOptions measure = new MeasureOptions().AddTo(command);
        var prompt = new Option<string?>("--prompt") { Description = "The prompt.", HelpName = "TEXT" };
        var input = new Option<string?>("--input") { Description = "JSON Lines: id, prompt, or promptIds.", HelpName = "FILE" };
        var count = new Option<int>("--max-tokens") { Description = "The most tokens.", HelpName = "N", DefaultValueFactory = _ => 64 };
        var temperature = new Option<double>("--temperature") { Description = "0 = always the most probable token.", HelpName = "T" };
        var topP = new Option<double>("--top-p") { Description = "Probability mass to draw from.", HelpName = "P", DefaultValueFactory = _ => 1.0 };
        var seed = new Option<ulong>("--seed") { Description = "Seed of the draws.", HelpName = "S" };
        foreach (Option option in (Option[])[prompt, input, count, temperature, topP, seed])
        {
            command.Options.Add(option);
        }

        return command.Runs(context =>
        {
            using ScoringSession session = measure.Open(context);
            var text = new TextTokens(session, measure.Bos(context));
            var settings = new GenerationSettings
            {
                MaxTokens = context.Value(count), Temperature = context.Value(temperature), TopP = context.Value(topP), Seed = context.Value(seed),
                EndTokens = text.Encoder.EndTokens(),
            };
            List<JsonObject> items = NextTokenCommand.PromptItems(context.Value(prompt), context.Value(input));
            return measure.ForEachAdapter(context, session, adapter => context.ForEach(items.Select(item => MeasureInput.Id(item) ?? string.Empty), id =>
            {
                JsonObject item = items.First(one => string.Equals(MeasureInput.Id(one) ?? string.Empty, id, StringComparison.Ordinal));
                int[] ids = text.Prompt(item);
                var line = new JsonObject { ["id"] = id };
                if (adapter is not null)
                {
                    line["adapter"] = adapter;
                }

                line["base"] = View(text, NextToken.Generate(session, ids, adapted: false, settings, context.Token));
                if (session.HasAdapter)
                {
                    line["adapted"] = View(text, NextToken.Generate(session, ids, adapted: true, settings, context.Token));
                }

                line["backend"] = session.Backend;
                if (context.Output.IsJson)
                {
                    MeasureInput.Write(context, line);
                    return;
                }

                context.Output.Line($"base: {line["base"]!["text"] ?? line["base"]!["ids"]!.ToJsonString()}");
                if (line["adapted"] is { } adapted)
                {
                    context.Output.Line($"adapted: {adapted["text"] ?? adapted["ids"]!.ToJsonString()}");
                }
            }));
        });
    }

    private static JsonObject View(TextTokens text, IReadOnlyList<int> ids)
    {
        var view = new JsonObject();
        if (text.Encoder.Decode(ids) is { } decoded)
        {
            view["text"] = decoded;
        }

        view["ids"] = MeasureInput.Array(ids);
        return view;
    }
}
