using System.Management.Automation;
using Sway.Conversion;

namespace Sway.PowerShell.Commands;

/// <summary>ConvertTo-MlxAdapter: adapters into the form that mlx-lm and mlx-swift-lm load.</summary>
[Cmdlet(VerbsData.ConvertTo, "MlxAdapter", DefaultParameterSetName = DefaultSet, SupportsShouldProcess = true)]
[OutputType(typeof(AdapterConversionResult))]
public sealed class ConvertToMlxAdapterCommand : ConversionCommand
{
    /// <summary>The adapter as it was at initialisation (PiSSA, OLoRA, CorDA, LoRA-GA).</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? InitialAdapter { get; set; }

    /// <summary>How the output names modules.</summary>
    [Parameter]
    public KeyStyle KeyStyle { get; set; }

    /// <summary>Convert into the cache, or take the result from there.</summary>
    [Parameter]
    public SwitchParameter UseCache { get; set; }

    private protected override bool IntoCache => UseCache;

    private protected override string Product => "an mlx-lm adapter";

    private protected override ConversionOptions Complete(ConversionOptions options) => options with
    {
        Target = ConversionTarget.Mlx,
        InitialAdapter = InitialAdapter is null ? null : ResolveFolder(InitialAdapter, nameof(InitialAdapter), mustExist: true),
        KeyStyle = KeyStyle,
    };
}
