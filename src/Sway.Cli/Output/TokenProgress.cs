using System.Diagnostics;
using System.Globalization;

namespace Sway.Cli.Output;

/// <summary>One line on stderr that is overwritten while a measurement runs; nothing when nobody watches, or when it is short.</summary>
internal sealed class TokenProgress : IProgress<long>, IDisposable
{
    private static readonly TimeSpan s_quiet = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(150);

    private readonly bool _enabled;
    private readonly Stopwatch _elapsed = Stopwatch.StartNew();
    private TimeSpan _next = s_quiet;
    private int _width;

    /// <summary>Shows tokens that are done, and how fast.</summary>
    internal TokenProgress(CommandOutput output) => _enabled = !Console.IsErrorRedirected && (output.IsTerminal || Console.IsOutputRedirected);

    /// <inheritdoc/>
    public void Report(long value)
    {
        if (!_enabled || _elapsed.Elapsed < _next)
        {
            return;
        }

        _next = _elapsed.Elapsed + s_interval;
        string line = string.Create(CultureInfo.InvariantCulture, $"{value:N0} tokens, {value / _elapsed.Elapsed.TotalSeconds:N0} tokens/s");
        Console.Error.Write("\r" + line.PadRight(_width));
        _width = Math.Max(_width, line.Length);
    }

    /// <summary>Takes the line away: a result or a message comes in its place.</summary>
    internal void Clear()
    {
        if (_width > 0)
        {
            Console.Error.Write("\r" + new string(' ', _width) + "\r");
            _width = 0;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Clear();
}
