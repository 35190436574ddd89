using System.Management.Automation;
using Sway.PowerShell.Measuring;
using Sway.Scoring;

namespace Sway.PowerShell.Commands;

/// <summary>Measure-AdapterPerplexity: how well base model and adapters predict texts.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "AdapterPerplexity", DefaultParameterSetName = ModelSet)]
[OutputType(typeof(AdapterPerplexity))]
public sealed class MeasureAdapterPerplexityCommand : RollingCommand
{
    /// <summary>How a text is cut into windows.</summary>
    [Parameter]
    public RollingPreset Preset { get; set; }

    /// <summary>Tokens of a window; 0 = the model's maximum.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int Window { get; set; }

    /// <summary>Tokens that windows of the preset Full advance; 0 = half a window.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int Stride { get; set; }

    /// <inheritdoc/>
    private protected override string Activity => "Measuring perplexity";

    /// <inheritdoc/>
    private protected override string InputHint => "Give -Text or -TextPath, or pipe texts, files, or objects with a property Text.";

    /// <inheritdoc/>
    private protected override bool WantsDivergence => false;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        if (Stride > 0 && Preset != RollingPreset.Full)
        {
            ThrowTerminatingError(ErrorRecords.Usage($"-Stride belongs to the preset Full; {Preset} has its own rule."));
        }

        base.BeginProcessing();
    }

    /// <inheritdoc/>
    private protected override IEnumerable<Pending> Prepare(MeasureItem item)
    {
        int window = Window > 0 ? Window : Scoring.MaxPositions;
        RollingText text = Rolling(item, Preset);
        IReadOnlyList<TokenSequence> windows = text.Plan(Preset, window, Stride);
        int? bytes = text.ScoredBytes(Preset, window);
        return [new Pending(item, windows, (scores, adapter) => Result(item, window, text, windows, bytes, scores, adapter))];
    }

    private AdapterPerplexity Result(
        MeasureItem item, int window, RollingText text, IReadOnlyList<TokenSequence> windows, int? bytes, IReadOnlyList<SequenceScore> scores,
        string? adapter) => new(Origin(item, adapter))
    {
        Preset = Preset,
        Window = window,
        WindowCount = windows.Count,
        Bos = text.Bos,
        TokenIds = [.. windows.SelectMany(sequence => sequence.Ids.Skip(sequence.FirstScored))],
        Base = new PerplexityView([.. scores.SelectMany(score => score.Base.LogProbs)], bytes),
        Adapted = Scoring.HasAdapter ? new PerplexityView([.. scores.SelectMany(score => score.Adapted!.LogProbs)], bytes) : null,
        Texts = Encoder.Texts,
    };
}
