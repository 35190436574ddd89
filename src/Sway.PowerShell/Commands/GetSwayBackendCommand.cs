using System.Management.Automation;
using Sway.Inference.Diagnostics;

namespace Sway.PowerShell.Commands;

/// <summary>Get-SwayBackend: the engines, and why one does not load.</summary>
[Cmdlet(VerbsCommon.Get, "SwayBackend")]
[OutputType(typeof(SwayBackend))]
public sealed class GetSwayBackendCommand : PSCmdlet
{
    /// <inheritdoc/>
    protected override void EndProcessing() => WriteObject(SwayBackends.List(), enumerateCollection: true);
}
