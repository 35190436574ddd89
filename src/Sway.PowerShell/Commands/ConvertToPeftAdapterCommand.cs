using System.Management.Automation;
using Sway.Conversion;

namespace Sway.PowerShell.Commands;

/// <summary>ConvertTo-PeftAdapter: adapters of mlx-lm, unsloth and Megatron into the form that PEFT loads.</summary>
[Cmdlet(VerbsData.ConvertTo, "PeftAdapter", DefaultParameterSetName = DefaultSet, SupportsShouldProcess = true)]
[OutputType(typeof(AdapterConversionResult))]
public sealed class ConvertToPeftAdapterCommand : ConversionCommand
{
    /// <summary>The major version of transformers that the experts of a mixture are written for.</summary>
    [Parameter]
    [ValidateSet("4", "5")]
    public int TransformersVersion { get; set; } = 5;

    /// <summary>The base model's name to record in place of the source's.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? BaseName { get; set; }

    private protected override string Product => "a PEFT adapter";

    private protected override ConversionOptions Complete(ConversionOptions options) => options with
    {
        Target = ConversionTarget.Peft,
        TransformersVersion = TransformersVersion,
        BaseName = BaseName,
    };
}
