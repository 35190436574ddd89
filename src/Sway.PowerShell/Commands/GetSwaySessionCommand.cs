using System.Management.Automation;
using Sway.PowerShell.Measuring;

namespace Sway.PowerShell.Commands;

/// <summary>Get-SwaySession: the open sessions of this runspace.</summary>
[Cmdlet(VerbsCommon.Get, "SwaySession", DefaultParameterSetName = "Name")]
[OutputType(typeof(SwaySession))]
public sealed class GetSwaySessionCommand : PSCmdlet
{
    /// <summary>Names; wildcards allowed.</summary>
    [Parameter(Position = 0, ParameterSetName = "Name", ValueFromPipeline = true)]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(SessionNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string[] Name { get; set; } = ["*"];

    /// <summary>Numbers.</summary>
    [Parameter(Mandatory = true, ParameterSetName = "Id")]
    public int[] Id { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        List<SwaySession> open = SessionTable.Current.Open();
        if (ParameterSetName == "Id")
        {
            foreach (int id in Id)
            {
                Write(open.FindAll(session => session.Id == id), $"with number {id}");
            }

            return;
        }

        foreach (string name in Name)
        {
            var pattern = new WildcardPattern(name, WildcardOptions.IgnoreCase);
            Write(
                open.FindAll(session => pattern.IsMatch(session.Name)),
                WildcardPattern.ContainsWildcardCharacters(name) ? null : $"'{name}'");
        }
    }

    private void Write(List<SwaySession> found, string? wanted)
    {
        if (found.Count == 0 && wanted is not null)
        {
            WriteError(ErrorRecords.SessionNotFound(wanted));
        }

        WriteObject(found, enumerateCollection: true);
    }
}
