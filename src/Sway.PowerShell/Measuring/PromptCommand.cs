using System.ComponentModel;
using System.Globalization;
using System.Management.Automation;

namespace Sway.PowerShell.Measuring;

/// <summary>Base of the cmdlets that go on from prompts, one after another.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class PromptCommand : MeasureCommand
{
    /// <summary>The prompts.</summary>
    [Parameter(Position = 0)]
    [AllowEmptyString]
    public string[]? Prompt { get; set; }

    /// <summary>One prompt as tokens.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int[]? PromptId { get; set; }

    /// <inheritdoc/>
    private protected override bool TextIsGiven => Prompt is not null || PromptId is not null;

    /// <inheritdoc/>
    private protected override string InputHint => "Give -Prompt, or pipe prompts, or objects with a property Prompt.";

    /// <inheritdoc/>
    private protected sealed override IEnumerable<MeasureItem> GivenItems()
    {
        foreach (string prompt in Prompt ?? [])
        {
            yield return new MeasureItem(NextNumber().ToString(CultureInfo.InvariantCulture)) { Prompt = prompt };
        }

        if (PromptId is not null)
        {
            yield return new MeasureItem(NextNumber().ToString(CultureInfo.InvariantCulture)) { PromptIds = PromptId };
        }
    }

    /// <inheritdoc/>
    private protected sealed override void Accept(MeasureItem item)
    {
        string? text = item.Plain ?? item.Prompt ?? item.Text;
        if (Attempt(item.Target, () => Tokens(item, text), out int[] ids) is { } error)
        {
            WriteError(item.Label(error));
            return;
        }

        foreach (string? adapter in Adapters)
        {
            if (Select(adapter))
            {
                Measure(item, item.PromptIds is null ? text : null, ids, adapter);
            }
        }

        Progress.Items++;
    }

    /// <summary>Measures one prompt with the selected adapter and writes the result or the error.</summary>
    private protected abstract void Measure(MeasureItem item, string? prompt, int[] ids, string? adapter);

    private int[] Tokens(MeasureItem item, string? text) =>
        item.PromptIds ?? Encoder.Prompt(text ?? throw new PSArgumentException("There is no Prompt."));
}
