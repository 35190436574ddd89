using System.Management.Automation;
using Sway.PowerShell.Measuring;
using Sway.Scoring;

namespace Sway.PowerShell.Commands;

/// <summary>Measure-AdapterLogprob: how probable completions are, for the base model and with adapters.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "AdapterLogprob", DefaultParameterSetName = ModelSet)]
[OutputType(typeof(AdapterLogprob))]
public sealed class MeasureAdapterLogprobCommand : WaveCommand
{
    /// <summary>The text before what is scored.</summary>
    [Parameter(Position = 0)]
    [AllowEmptyString]
    public string? Prompt { get; set; }

    /// <summary>The text that is scored; several are scored one by one.</summary>
    [Parameter(Position = 1)]
    [AllowEmptyString]
    public string[]? Completion { get; set; }

    /// <summary>The prompt as tokens.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    [AllowEmptyCollection]
    public int[]? PromptId { get; set; }

    /// <summary>The completion as tokens.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    [AllowEmptyCollection]
    public int[]? CompletionId { get; set; }

    /// <summary>How prompt and completion become tokens.</summary>
    [Parameter]
    public BoundaryMode Boundary { get; set; }

    /// <summary>Give exact divergences at each token, too.</summary>
    [Parameter]
    public SwitchParameter Divergence { get; set; }

    /// <inheritdoc/>
    private protected override string Activity => "Measuring log-probabilities";

    /// <inheritdoc/>
    private protected override bool TextIsGiven =>
        (Prompt is not null && Completion is not null) || (PromptId is not null && CompletionId is not null);

    /// <inheritdoc/>
    private protected override string InputHint => "Give -Prompt and -Completion, or pipe objects with these properties.";

    /// <inheritdoc/>
    private protected override bool WantsDivergence => Divergence;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        if ((Prompt is not null && PromptId is not null) || (Completion is not null && CompletionId is not null))
        {
            ThrowTerminatingError(ErrorRecords.Usage("Give texts or tokens, not both."));
        }

        base.BeginProcessing();
    }

    /// <inheritdoc/>
    private protected override IEnumerable<MeasureItem> GivenItems() => PromptId is not null && CompletionId is not null
        ? [new MeasureItem(Name()) { PromptIds = PromptId, CompletionIds = CompletionId }]
        : Completion!.Select(completion => new MeasureItem(Name()) { Prompt = Prompt, Completion = completion });

    /// <inheritdoc/>
    private protected override IEnumerable<Pending> Prepare(MeasureItem item)
    {
        // What parameters give goes before what the item has, as everywhere in PowerShell.
        int[]? promptIds = PromptId ?? item.PromptIds;
        int[]? completionIds = CompletionId ?? item.CompletionIds;
        if (Prompt is null && Completion is null && promptIds is not null && completionIds is not null)
        {
            yield return Pend(item, null, null, PromptEncoder.Completion(promptIds, completionIds));
            yield break;
        }

        string? prompt = Prompt ?? item.Prompt;
        string[]? own = item.Completion is { } one ? [one] : null;
        string[]? completions = item.Source is null ? own : Completion ?? own;
        if ((item.Plain ?? item.Text) is { } plain)
        {
            // A lone text takes the place that is free: after the prompt, before the completions, or all of it.
            if (completions is null)
            {
                (prompt, completions) = (prompt ?? "", [plain]);
            }
            else
            {
                prompt ??= plain;
            }
        }

        if (prompt is null || completions is null)
        {
            throw new PSArgumentException($"There is no {(prompt is null ? "Prompt" : "Completion")}.");
        }

        foreach (string completion in completions)
        {
            yield return Pend(item, prompt, completion, Encoder.Completion(prompt, completion, Boundary));
        }
    }

    private string Name() => NextNumber().ToString(System.Globalization.CultureInfo.InvariantCulture);

    private Pending Pend(MeasureItem item, string? prompt, string? completion, CompletionTokens tokens) =>
        new(item, [tokens.Sequence], (scores, adapter) => Result(item, prompt, completion, tokens, scores[0], adapter));

    private AdapterLogprob Result(
        MeasureItem item, string? prompt, string? completion, CompletionTokens tokens, SequenceScore score, string? adapter)
    {
        int[] scored = [.. tokens.Sequence.Ids.Skip(tokens.Sequence.FirstScored)];
        return new(Origin(item, adapter))
        {
            Prompt = prompt,
            Completion = completion,
            PromptTokenCount = tokens.Sequence.FirstScored,
            Boundary = tokens.Boundary,
            MergedPromptBytes = tokens.MergedPromptBytes,
            Bos = tokens.Bos,
            TokenIds = scored,
            Tokens = Encoder.Texts(scored),
            Base = LogprobView.Of(score.Base)!,
            Adapted = LogprobView.Of(score.Adapted),
            Divergence = score.Divergence is { } d ? new(d.AdaptedBase, d.BaseAdapted, d.JensenShannon) : null,
        };
    }
}
