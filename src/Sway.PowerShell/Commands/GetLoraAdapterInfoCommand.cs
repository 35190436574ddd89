using System.Management.Automation;
using Sway.Adapters;

namespace Sway.PowerShell.Commands;

/// <summary>Get-LoraAdapterInfo: what adapters are, without loading weights.</summary>
[Cmdlet(VerbsCommon.Get, "LoraAdapterInfo", DefaultParameterSetName = DefaultSet)]
[OutputType(typeof(LoraAdapterInfo))]
public sealed class GetLoraAdapterInfoCommand : AdapterCommand
{
    /// <summary>List every adapted module.</summary>
    [Parameter]
    public SwitchParameter Detailed { get; set; }

    /// <summary>Read the weights, and give the norm of each module's delta.</summary>
    [Parameter]
    public SwitchParameter Norms { get; set; }

    /// <summary>Which adapter, where one folder or file holds several.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? AdapterName { get; set; }

    /// <inheritdoc/>
    protected override void ProcessAdapter(string fullName, bool isOneOfSeveral)
    {
        if (TryRun(
            fullName,
            () => AdapterInspector.Inspect(fullName, Detailed, Norms, AdapterName, StopToken),
            out LoraAdapterInfo info))
        {
            WriteObject(info);
        }
    }
}
