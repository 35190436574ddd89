using System.Text.Json.Nodes;
using Sway.Scoring;

namespace Sway.Cli.Commands.Measuring;

/// <summary>The tokens of a prompt and a completion.</summary>
/// <param name="Sequence">Prompt and completion; the completion is scored.</param>
/// <param name="Boundary">How prompt and completion meet.</param>
/// <param name="Bos">What was done about a start token.</param>
internal sealed record CompletionTokens(TokenSequence Sequence, string Boundary, string Bos);

/// <summary>Input items as tokens. Items with token ids are taken as they are; texts need a tokenizer.</summary>
internal sealed class TextTokens(ScoringSession session)
{
    /// <summary>The tokens of a prompt and its completion.</summary>
    internal CompletionTokens Completion(JsonObject item)
    {
        int[]? prompt = MeasureInput.Ids(item, "promptIds");
        int[]? completion = MeasureInput.Ids(item, "completionIds");
        if (prompt is null || completion is null)
        {
            throw NoTokenizer();
        }

        if (completion.Length == 0)
        {
            throw new ScoringException("A completion without tokens cannot be scored.");
        }

        if (prompt.Length == 0)
        {
            throw new ScoringException("An empty prompt needs a start token in front, else the first token cannot be scored.");
        }

        return new CompletionTokens(new TokenSequence([.. prompt, .. completion], prompt.Length), "Clean", "None");
    }

    /// <summary>The tokens of a text.</summary>
    internal int[] Text(JsonObject item) => MeasureInput.Ids(item, "ids") ?? throw NoTokenizer();

    private TokenizationException NoTokenizer() =>
        new("Texts cannot be tokenized by this build yet; give token ids.") { Path = session.ModelPath };
}
