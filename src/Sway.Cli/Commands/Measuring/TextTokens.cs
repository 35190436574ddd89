using Sway.Scoring;

namespace Sway.Cli.Commands.Measuring;

/// <summary>Input items as tokens. Items with token ids are taken as they are.</summary>
internal sealed class TextTokens(ScoringSession session, BosMode bos)
{
    /// <summary>The rules that both front ends share.</summary>
    internal PromptEncoder Encoder { get; } = new(session.ModelPath, session.Config, bos);

    /// <summary>Whether an item is a prompt with a completion, and not a whole text.</summary>
    internal static bool IsCompletion(InputItem item) => item.Has("completion") || item.Has("completionIds");

    /// <summary>The tokens of a prompt and its completion.</summary>
    internal CompletionTokens Completion(InputItem item, BoundaryMode boundary) =>
        item.Ids("promptIds") is { } prompt && item.Ids("completionIds") is { } completion
            ? PromptEncoder.Completion(prompt, completion)
            : Encoder.Completion(item.Needed("prompt"), item.Needed("completion"), boundary);

    /// <summary>A text for windows.</summary>
    internal RollingText Rolling(InputItem item, RollingPreset preset) => item.Ids("ids") is { } ids
        ? Encoder.Rolling(ids, preset)
        : Encoder.Rolling(item.Needed("text"), preset);

    /// <summary>The tokens of a prompt with its start token.</summary>
    internal int[] Prompt(InputItem item) => item.Ids("promptIds") ?? Encoder.Prompt(item.Needed("prompt"));
}
