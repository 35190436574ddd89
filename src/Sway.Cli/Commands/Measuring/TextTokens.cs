using System.Text.Json.Nodes;
using Sway.Scoring;

namespace Sway.Cli.Commands.Measuring;

/// <summary>Input items as tokens. Items with token ids are taken as they are.</summary>
internal sealed class TextTokens(ScoringSession session, BosMode bos)
{
    /// <summary>The rules that both front ends share.</summary>
    internal PromptEncoder Encoder { get; } = new(session.ModelPath, session.Config, bos);

    /// <summary>The tokens of a prompt and its completion.</summary>
    internal CompletionTokens Completion(JsonObject item, BoundaryMode boundary) =>
        MeasureInput.Ids(item, "promptIds") is { } prompt && MeasureInput.Ids(item, "completionIds") is { } completion
            ? PromptEncoder.Completion(prompt, completion)
            : Encoder.Completion(Needed(item, "prompt"), Needed(item, "completion"), boundary);

    /// <summary>A text for windows.</summary>
    internal RollingText Rolling(JsonObject item, RollingPreset preset) => MeasureInput.Ids(item, "ids") is { } ids
        ? Encoder.Rolling(ids, preset)
        : Encoder.Rolling(Needed(item, "text"), preset);

    /// <summary>The tokens of a prompt with its start token.</summary>
    internal int[] Prompt(JsonObject item) => MeasureInput.Ids(item, "promptIds") ?? Encoder.Prompt(Needed(item, "prompt"));

    private static string Needed(JsonObject item, string name) =>
        MeasureInput.Text(item, name) ?? throw new AdapterFormatException($"The item has no {name}.");
}
