using System.Diagnostics;
using System.Management.Automation;
using Sway.IO;

namespace Sway.PowerShell;

/// <summary>
/// Shows how far the work on one output has come. Drawn at most every 150 ms and not at all for short work; only the pipeline's thread may draw.
/// </summary>
internal sealed class ByteProgressBar(Cmdlet cmdlet, string activity, string name) : IProgress<ByteProgress>, IDisposable
{
    private const int ActivityId = 0x5357;
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(150);

    private readonly int _pipelineThread = Environment.CurrentManagedThreadId;
    private readonly Stopwatch _elapsed = Stopwatch.StartNew();
    private TimeSpan _next = s_interval;
    private bool _shown;

    /// <inheritdoc/>
    public void Report(ByteProgress value)
    {
        if (_elapsed.Elapsed < _next || Environment.CurrentManagedThreadId != _pipelineThread)
        {
            return;
        }

        _next = _elapsed.Elapsed + s_interval;
        _shown = true;
        cmdlet.WriteProgress(new ProgressRecord(ActivityId, activity, name)
        {
            PercentComplete = value.Total > 0 ? (int)(100.0 * value.Done / value.Total) : -1,
        });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_shown)
        {
            return;
        }

        try
        {
            cmdlet.WriteProgress(new ProgressRecord(ActivityId, activity, name)
            {
                RecordType = ProgressRecordType.Completed,
            });
        }
        catch (PipelineStoppedException)
        {
            // A stopped pipeline takes its progress away itself.
        }
    }
}
