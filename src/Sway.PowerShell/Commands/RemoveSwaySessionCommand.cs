using System.Management.Automation;
using Sway.PowerShell.Measuring;

namespace Sway.PowerShell.Commands;

/// <summary>Remove-SwaySession: closes sessions and frees their models.</summary>
[Cmdlet(VerbsCommon.Remove, "SwaySession", SupportsShouldProcess = true)]
[OutputType(typeof(void))]
public sealed class RemoveSwaySessionCommand : PSCmdlet
{
    /// <summary>Sessions, or their names or numbers.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [SessionArgument]
    [ArgumentCompleter(typeof(SessionNameCompleter))]
    [ValidateNotNull]
    public SwaySession[] Session { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (SwaySession session in Session)
        {
            if (ShouldProcess(session.Name, "Close the session"))
            {
                session.Dispose();
            }
        }
    }
}
