using System.Management.Automation;
using Sway.Caching;

namespace Sway.PowerShell.Commands;

/// <summary>Get-SwayCache: the converted adapters and scores that are kept.</summary>
[Cmdlet(VerbsCommon.Get, "SwayCache")]
[OutputType(typeof(SwayCacheEntry))]
public sealed class GetSwayCacheCommand : PSCmdlet, IDisposable
{
    private readonly CancellationTokenSource _stop = new();

    /// <summary>Only entries of these kinds.</summary>
    [Parameter]
    [ValidateNotNull]
    public CacheEntryKind[] Kind { get; set; } = [];

    /// <summary>Read every byte and say what is damaged.</summary>
    [Parameter]
    public SwitchParameter Verify { get; set; }

    /// <inheritdoc/>
    public void Dispose() => _stop.Dispose();

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        var manager = new CacheManager(CacheCommands.Open(this));
        foreach (SwayCacheEntry entry in manager.List().Where(entry => Kind.Length == 0 || Kind.Contains(entry.Kind)))
        {
            SwayCacheEntry found = entry;
            if (Verify)
            {
                try
                {
                    found = manager.Verify(entry, _stop.Token);
                }
                catch (OperationCanceledException)
                {
                    throw new PipelineStoppedException();
                }
            }

            WriteObject(found);
        }
    }

    /// <inheritdoc/>
    protected override void StopProcessing() => _stop.Cancel();
}

/// <summary>What the cmdlets of the cache share.</summary>
internal static class CacheCommands
{
    /// <summary>The user's cache; a wrong setting ends the cmdlet.</summary>
    internal static CacheStore Open(PSCmdlet cmdlet)
    {
        ErrorRecord error;
        try
        {
            return CacheStore.Open();
        }
        catch (CacheException exception)
        {
            error = ErrorRecords.Of(exception, CacheSettings.SizeVariable);
        }

        cmdlet.ThrowTerminatingError(error);
        throw new PipelineStoppedException();
    }
}
