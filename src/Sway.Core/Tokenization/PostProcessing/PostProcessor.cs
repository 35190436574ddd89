using Sway.Tokenization.Models;
using Sway.Tokenization.Unicode;

namespace Sway.Tokenization.PostProcessing;

/// <summary>A step after the model: it trims spans or puts special tokens around the text.</summary>
internal abstract record PostProcessingStep;

/// <summary>Removes white space at the ends of spans (ByteLevel and Roberta with trim_offsets).</summary>
internal sealed record TrimStep(bool AddPrefixSpace) : PostProcessingStep;

/// <summary>Special tokens around the text; an empty list stands for the text itself.</summary>
internal sealed record TemplateStep(IReadOnlyList<int[]> Parts) : PostProcessingStep;

/// <summary>Applies the post-processing of a tokenizer.json to a text's tokens.</summary>
internal sealed class PostProcessor(IReadOnlyList<PostProcessingStep> steps, IModel model)
{
    private readonly IReadOnlyList<PostProcessingStep> _steps = steps.OfType<TemplateStep>().Count() < 2
        ? steps
        : throw new TokenizationException("The post_processor puts special tokens around the text more than once, which is not supported.");

    /// <summary>The ids put before and after a text when special tokens are asked for.</summary>
    public (int[] Before, int[] After) Template()
    {
        List<int> before = [], after = [];
        foreach (var step in _steps.OfType<TemplateStep>())
        {
            var seen = false;
            var prefix = new List<int>();
            foreach (var part in step.Parts)
            {
                if (part.Length == 0)
                {
                    seen = true;
                }
                else
                {
                    (seen ? after : prefix).AddRange(part);
                }
            }

            before.InsertRange(0, prefix);
        }

        return ([.. before], [.. after]);
    }

    public Encoding Process(PipelineState state, bool addSpecialTokens)
    {
        var sink = state.Tokens;
        var ids = sink.Ids.ToArray();
        var spans = new (int Start, int End)[ids.Length];
        for (var i = 0; i < spans.Length; i++)
        {
            spans[i] = (sink.Starts[i], sink.Ends[i]);
        }

        bool[]? inserted = null;
        bool[]? cutOut = null;
        foreach (var step in _steps)
        {
            if (step is TrimStep trim)
            {
                cutOut ??= sink.CutOut.ToArray();
                Trim(state.Original.Bytes, ids, spans, inserted, cutOut, trim.AddPrefixSpace);
            }
            else if (step is TemplateStep template)
            {
                ApplyTemplate(template, addSpecialTokens, ref ids, ref spans, ref inserted);
            }
        }

        return new Encoding(ids, spans, inserted);
    }

    private static void ApplyTemplate(
        TemplateStep template, bool addSpecialTokens, ref int[] ids, ref (int Start, int End)[] spans, ref bool[]? inserted)
    {
        if (template.Parts.All(p => p.Length == 0 || !addSpecialTokens) && template.Parts.Count(p => p.Length == 0) == 1)
        {
            return;
        }

        var newIds = new List<int>(ids.Length + 4);
        var newSpans = new List<(int Start, int End)>(ids.Length + 4);
        var newInserted = new List<bool>(ids.Length + 4);
        foreach (var part in template.Parts)
        {
            if (part.Length == 0)
            {
                newIds.AddRange(ids);
                newSpans.AddRange(spans);
                newInserted.AddRange(inserted ?? new bool[ids.Length]);
            }
            else if (addSpecialTokens)
            {
                newIds.AddRange(part);
                newSpans.AddRange(part.Select(_ => (0, 0)));
                newInserted.AddRange(part.Select(_ => true));
            }
        }

        (ids, spans, inserted) = ([.. newIds], [.. newSpans], [.. newInserted]);
    }

    private void Trim(
        ReadOnlySpan<byte> text, int[] ids, (int Start, int End)[] spans, bool[]? inserted, bool[] cutOut, bool addPrefixSpace)
    {
        var own = -1;
        for (var i = 0; i < ids.Length; i++)
        {
            if (inserted is not null && inserted[i])
            {
                continue;
            }

            own++;

            var (start, end) = spans[i];
            var shown = cutOut[own % cutOut.Length] || model.ShowsPieceText(ids[i]) ? text[start..end]
                : model.Vocabulary.TryGetText(ids[i], out var form) ? form : default;
            CountSpaces(shown, out var leading, out var trailing);
            if (leading == 1 && addPrefixSpace && (i == 0 || start == 0))
            {
                // A single space in front of the first word is the one that was added.
                leading = 0;
            }

            for (; leading > 0 && start < end; leading--)
            {
                start += Utf8Text.LengthOf(text[start]);
            }

            spans[i] = (start, Math.Max(StepBack(text, end, trailing), start));
        }
    }

    /// <summary>Goes back some characters; when there are not so many before the place, the library leaves the end alone.</summary>
    private static int StepBack(ReadOnlySpan<byte> text, int end, int count)
    {
        var at = end;
        for (; count > 0; count--)
        {
            if (at == 0)
            {
                return end;
            }

            at = Utf8Text.PreviousStart(text, at);
        }

        return at;
    }

    private static void CountSpaces(ReadOnlySpan<byte> shown, out int leading, out int trailing)
    {
        (leading, trailing) = (0, 0);
        for (var at = 0; at < shown.Length && IsSpace(Utf8Text.Decode(shown, at, out var length)); at += length)
        {
            leading++;
        }

        for (var at = shown.Length; at > 0 && IsSpace(Utf8Text.DecodeBefore(shown, at, out var length)); at -= length)
        {
            trailing++;
        }
    }

    private static bool IsSpace(int codePoint) => codePoint == 'Ġ' || CodePoints.IsWhiteSpace(codePoint);
}
