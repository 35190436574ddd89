using System.Management.Automation;
using Sway.Caching;

namespace Sway.PowerShell.Commands;

/// <summary>Clear-SwayCache: removes what is kept.</summary>
[Cmdlet(VerbsCommon.Clear, "SwayCache", SupportsShouldProcess = true, DefaultParameterSetName = "All")]
[OutputType(typeof(SwayCacheEntry))]
public sealed class ClearSwayCacheCommand : PSCmdlet
{
    /// <summary>Entries as <c>Get-SwayCache</c> gives them; without it: all.</summary>
    [Parameter(Mandatory = true, ParameterSetName = "Entry", ValueFromPipeline = true)]
    [ValidateNotNull]
    public SwayCacheEntry[] InputObject { get; set; } = [];

    /// <summary>Only entries of these kinds.</summary>
    [Parameter(ParameterSetName = "All")]
    [ValidateNotNull]
    public CacheEntryKind[] Kind { get; set; } = [];

    /// <summary>Only entries that were not used for so many days.</summary>
    [Parameter]
    [ValidateRange(0.0, 1e5)]
    public double OlderThan { get; set; }

    /// <summary>Give the entries that were removed.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        CacheStore store = CacheCommands.Open(this);
        var manager = new CacheManager(store);
        bool all = ParameterSetName == "All";
        DateTime limit = DateTime.UtcNow - TimeSpan.FromDays(OlderThan);
        foreach (SwayCacheEntry entry in all ? manager.List().Where(entry => Kind.Length == 0 || Kind.Contains(entry.Kind)) : InputObject)
        {
            if (OlderThan > 0 && entry.LastUsed > limit)
            {
                continue;
            }

            if (ShouldProcess($"{entry.Kind} {entry.Key} ({entry.Origin})", "Remove from the cache") && TryRemove(manager, entry) && PassThru)
            {
                WriteObject(entry);
            }
        }

        if (all && Kind.Length == 0 && OlderThan == 0 && ShouldProcess(store.Root, "Remove remembered digests"))
        {
            manager.RemoveRest();
        }
    }

    private bool TryRemove(CacheManager manager, SwayCacheEntry entry)
    {
        ErrorRecord error;
        try
        {
            manager.Remove(entry);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            error = ErrorRecords.Of(exception, entry.FullName);
        }

        WriteError(error);
        return false;
    }
}
