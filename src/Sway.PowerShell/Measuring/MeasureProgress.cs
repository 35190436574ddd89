using System.Diagnostics;
using System.Globalization;
using System.Management.Automation;

namespace Sway.PowerShell.Measuring;

/// <summary>
/// Shows how far a measurement has come. Drawn at most every 150 ms and not at all for short work; only the pipeline's thread may draw.
/// </summary>
internal sealed class MeasureProgress(Cmdlet cmdlet, string activity) : IProgress<long>
{
    private const int ActivityId = 0x5358;
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(150);

    private readonly int _pipelineThread = Environment.CurrentManagedThreadId;
    private readonly Stopwatch _elapsed = Stopwatch.StartNew();
    private TimeSpan _next = s_interval;
    private long _before;
    private long _total;
    private bool _shown;

    /// <summary>Whether nothing is drawn, because results tell by themselves how far the work has come.</summary>
    internal bool IsHidden { get; init; }

    /// <summary>Items that are done.</summary>
    internal int Items { get; set; }

    /// <summary>Tokens that are done.</summary>
    internal long Tokens { get; private set; }

    /// <summary>Time since the cmdlet began.</summary>
    internal TimeSpan Elapsed => _elapsed.Elapsed;

    /// <summary>A run of a known number of tokens begins; 0 when it is not known.</summary>
    internal void Begin(long tokens)
    {
        _before = Tokens;
        _total = tokens;
        Draw();
    }

    /// <inheritdoc/>
    public void Report(long value)
    {
        Tokens = _before + value;
        Draw();
    }

    /// <summary>Takes the bar away.</summary>
    internal void Complete()
    {
        if (!_shown)
        {
            return;
        }

        _shown = false;
        try
        {
            cmdlet.WriteProgress(new ProgressRecord(ActivityId, activity, "Done") { RecordType = ProgressRecordType.Completed });
        }
        catch (Exception exception) when (exception is PipelineStoppedException or PSInvalidOperationException)
        {
            // A stopped pipeline takes its progress away itself.
        }
    }

    private void Draw()
    {
        if (IsHidden || _elapsed.Elapsed < _next || Environment.CurrentManagedThreadId != _pipelineThread)
        {
            return;
        }

        _next = _elapsed.Elapsed + s_interval;
        _shown = true;
        double rate = Tokens / _elapsed.Elapsed.TotalSeconds;
        long done = Tokens - _before;
        cmdlet.WriteProgress(new ProgressRecord(
            ActivityId, activity, string.Create(CultureInfo.CurrentCulture, $"{Items:N0} items, {Tokens:N0} tokens, {rate:N0} tokens/s"))
        {
            PercentComplete = _total > 0 ? (int)Math.Min(100, 100 * done / _total) : -1,
            SecondsRemaining = _total > 0 && done > 0 && rate > 0 ? (int)Math.Min(int.MaxValue, (_total - done) / rate) : -1,
        });
    }
}
