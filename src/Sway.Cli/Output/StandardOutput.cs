using System.Runtime.InteropServices;
using System.Text;

namespace Sway.Cli.Output;

/// <summary>
/// Stdout where it is a file or another program: UTF-8 whatever the console's code page is, and one write for many lines. It asks the
/// system itself, because to start the console's class takes longer than to look at an adapter.
/// </summary>
internal sealed unsafe partial class StandardOutput : TextWriter
{
    private const int Capacity = 1 << 14;
    private const int Descriptor = 1;

    private static readonly bool s_posix = !OperatingSystem.IsWindows();

    private readonly char[] _characters = new char[Capacity];
    private readonly byte[] _bytes = new byte[3 * (Capacity + 1)];
    private readonly Encoder _encoder = Encoding.UTF8.GetEncoder();
    private int _count;
    private Stream? _console = s_posix ? null : Console.OpenStandardOutput();

    /// <summary>True when nobody watches stdout on a terminal.</summary>
    internal static bool IsRedirected => s_posix ? IsTerminal(Descriptor) == 0 : Console.IsOutputRedirected;

    /// <inheritdoc/>
    public override Encoding Encoding => Encoding.UTF8;

    /// <inheritdoc/>
    public override void Write(char value)
    {
        if (_count == Capacity)
        {
            Send(flush: false);
        }

        _characters[_count++] = value;
    }

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    /// <inheritdoc/>
    public override void Write(string? value) => Write(value.AsSpan());

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<char> buffer)
    {
        while (!buffer.IsEmpty)
        {
            if (_count == Capacity)
            {
                Send(flush: false);
            }

            int taken = Math.Min(buffer.Length, Capacity - _count);
            buffer[..taken].CopyTo(_characters.AsSpan(_count));
            _count += taken;
            buffer = buffer[taken..];
        }
    }

    /// <inheritdoc/>
    public override void Flush() => Send(flush: false);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        Send(flush: true);
        base.Dispose(disposing);
    }

    // Half a surrogate pair waits in the encoder for its other half, until the end.
    private void Send(bool flush)
    {
        ReadOnlySpan<byte> left = _bytes.AsSpan(0, _encoder.GetBytes(_characters.AsSpan(0, _count), _bytes, flush));
        _count = 0;
        while (_console is null && !left.IsEmpty)
        {
            nint written;
            fixed (byte* start = left)
            {
                written = Write(Descriptor, start, left.Length);
            }

            if (written < 0)
            {
                // The console's stream knows what each failure means: whether to wait, to be silent, or to throw.
                _console = Console.OpenStandardOutput();
                break;
            }

            left = left[(int)written..];
        }

        _console?.Write(left);
    }

    [LibraryImport("libc", EntryPoint = "isatty")]
    private static partial int IsTerminal(int descriptor);

    [LibraryImport("libc", EntryPoint = "write")]
    private static partial nint Write(int descriptor, byte* start, nint length);
}
