using System.Globalization;
using System.Management.Automation;
using Sway.PowerShell.Measuring;
using Sway.Scoring;

namespace Sway.PowerShell.Commands;

/// <summary>Measure-AdapterDivergence: how far adapters move the next-token distributions along texts.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "AdapterDivergence", DefaultParameterSetName = ModelSet)]
[OutputType(typeof(AdapterDivergence))]
public sealed class MeasureAdapterDivergenceCommand : RollingCommand
{
    /// <summary>The text before the positions that count.</summary>
    [Parameter]
    [AllowEmptyString]
    public string? Prompt { get; set; }

    /// <summary>The text whose positions count.</summary>
    [Parameter]
    [AllowEmptyString]
    public string[]? Completion { get; set; }

    /// <summary>How prompt and completion become tokens.</summary>
    [Parameter]
    public BoundaryMode Boundary { get; set; }

    /// <summary>Tokens of a window; 0 = the model's maximum.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int Window { get; set; }

    /// <inheritdoc/>
    private protected override string Activity => "Measuring divergence";

    /// <inheritdoc/>
    private protected override string InputHint =>
        "Give -Text, -TextPath, or -Prompt and -Completion; or pipe texts, files, or objects with such properties.";

    /// <inheritdoc/>
    private protected override bool NeedsAdapter => true;

    /// <inheritdoc/>
    private protected override bool WantsDivergence => true;

    /// <inheritdoc/>
    private protected override bool TextIsGiven => base.TextIsGiven || (Prompt is not null && Completion is not null);

    /// <inheritdoc/>
    private protected override IEnumerable<MeasureItem> GivenItems() => base.GivenItems().Concat(
        Prompt is null ? [] : (Completion ?? []).Select(completion =>
            new MeasureItem(NextNumber().ToString(CultureInfo.InvariantCulture)) { Prompt = Prompt, Completion = completion }));

    /// <inheritdoc/>
    private protected override IEnumerable<Pending> Prepare(MeasureItem item)
    {
        if (item.PromptIds is { } promptIds && item.CompletionIds is { } completionIds)
        {
            return [Pend(item, PromptEncoder.Completion(promptIds, completionIds))];
        }

        if ((Prompt ?? item.Prompt) is { } prompt && item.Text is null && item.Ids is null)
        {
            string[] completions = item.Completion is { } own ? [own] : Completion ?? (item.Plain is { } plain ? [plain] : []);
            return completions.Length == 0
                ? throw new PSArgumentException("There is no Completion; a whole text is given as Text.")
                : completions.Select(completion => Pend(item, Encoder.Completion(prompt, completion, Boundary)));
        }

        RollingText text = Rolling(item, RollingPreset.Full);
        IReadOnlyList<TokenSequence> windows = text.Plan(RollingPreset.Full, Window > 0 ? Window : Scoring.MaxPositions);
        return [new Pending(item, windows, (scores, adapter) => Result(item, windows, text.Bos, scores, adapter))];
    }

    private Pending Pend(MeasureItem item, CompletionTokens tokens) =>
        new(item, [tokens.Sequence], (scores, adapter) => Result(item, [tokens.Sequence], tokens.Bos, scores, adapter));

    private AdapterDivergence Result(
        MeasureItem item, IReadOnlyList<TokenSequence> sequences, BosAction bos, IReadOnlyList<SequenceScore> scores,
        string? adapter) => new(Origin(item, adapter))
    {
        Bos = bos,
        TokenIds = [.. sequences.SelectMany(sequence => sequence.Ids.Skip(sequence.FirstScored))],
        Divergence = new TokenDivergences(
            [.. scores.SelectMany(score => score.Divergence!.AdaptedBase)],
            [.. scores.SelectMany(score => score.Divergence!.BaseAdapted)],
            [.. scores.SelectMany(score => score.Divergence!.JensenShannon)]),
        Texts = Encoder.Texts,
    };
}
