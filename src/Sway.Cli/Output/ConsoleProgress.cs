using System.Diagnostics;
using System.Globalization;
using Sway.IO;

namespace Sway.Cli.Output;

/// <summary>One line on stderr that is overwritten while a long item runs; nothing when nobody watches.</summary>
internal sealed class ConsoleProgress : IProgress<ByteProgress>, IDisposable
{
    private static readonly TimeSpan s_quiet = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(150);

    private readonly string _title;
    private readonly bool _enabled;
    private readonly Stopwatch _elapsed = Stopwatch.StartNew();
    private TimeSpan _next = s_quiet;
    private int _width;

    /// <summary>Shows <paramref name="title"/> with the share that is done.</summary>
    internal ConsoleProgress(CommandOutput output, string title)
    {
        _title = title;
        _enabled = !output.IsJson && output.IsTerminal && !Console.IsErrorRedirected;
    }

    /// <inheritdoc/>
    public void Report(ByteProgress value)
    {
        if (!_enabled || _elapsed.Elapsed < _next)
        {
            return;
        }

        _next = _elapsed.Elapsed + s_interval;
        double share = value.Total > 0 ? (double)value.Done / value.Total : 0;
        string line = string.Create(
            CultureInfo.InvariantCulture,
            $"{_title}: {share:P0} of {Format.Bytes(value.Total)}");
        Console.Error.Write("\r" + line.PadRight(_width));
        _width = Math.Max(_width, line.Length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_width > 0)
        {
            Console.Error.Write("\r" + new string(' ', _width) + "\r");
        }
    }
}
