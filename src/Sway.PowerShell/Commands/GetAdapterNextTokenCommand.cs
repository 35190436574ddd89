using System.Management.Automation;
using Sway.PowerShell.Measuring;
using Sway.Scoring;
using NextTokenDistribution = Sway.PowerShell.Measuring.NextTokenDistribution;
using NextTokenView = Sway.PowerShell.Measuring.NextTokenView;

namespace Sway.PowerShell.Commands;

/// <summary>Get-AdapterNextToken: what base model and adapters expect after prompts.</summary>
[Cmdlet(VerbsCommon.Get, "AdapterNextToken", DefaultParameterSetName = ModelSet)]
[OutputType(typeof(NextTokenDistribution))]
public sealed class GetAdapterNextTokenCommand : PromptCommand
{
    /// <summary>How many tokens are listed for each view.</summary>
    [Parameter]
    [Alias("Top")]
    [ValidateRange(1, int.MaxValue)]
    public int TopK { get; set; } = 256;

    /// <summary>Show the ranking.</summary>
    [Parameter]
    public SwitchParameter Detailed { get; set; }

    /// <inheritdoc/>
    private protected override bool IsDetailed => Detailed;

    /// <inheritdoc/>
    private protected override string Activity => "Predicting next tokens";

    /// <inheritdoc/>
    private protected override void Measure(MeasureItem item, string? prompt, int[] ids, string? adapter)
    {
        Progress.Begin(0);
        if (Attempt(item.Target, () => NextToken.Predict(Scoring, ids, TopK, StopToken), out Scoring.NextTokenDistribution found) is { } error)
        {
            WriteError(item.Label(error));
            return;
        }

        Progress.Report(ids.Length);
        Write(new NextTokenDistribution(Origin(item, adapter))
        {
            Prompt = prompt,
            PromptTokenCount = ids.Length,
            VocabularySize = found.VocabularySize,
            Base = View(found.Base)!,
            Adapted = View(found.Adapted),
        });
    }

    private NextTokenView? View(Scoring.NextTokenView? view) =>
        view is null ? null : new(view.Ids, Encoder.Texts(view.Ids), view.LogProbs, view.TailLogProb);
}
