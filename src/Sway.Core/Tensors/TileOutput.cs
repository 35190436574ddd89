using System.Buffers;
using Microsoft.Win32.SafeHandles;
using Sway.IO;

namespace Sway.Tensors;

/// <summary>
/// Gathers small tensors into one buffer, so that a file of many becomes few writes, and fills the next buffer while the
/// full one is written: the kernel's copy of a page costs as much as the transposition of it.
/// </summary>
/// <param name="handle">The file, written from its beginning.</param>
/// <param name="tileBytes">The most that is reserved at once; a buffer holds two such tiles.</param>
/// <param name="total">The bytes to come, for the progress.</param>
/// <param name="progress">Gets the bytes written so far and in all.</param>
/// <param name="cancellationToken">Stops between writes.</param>
internal sealed class TileOutput(
    SafeFileHandle handle, int tileBytes, long total, IProgress<ByteProgress>? progress, CancellationToken cancellationToken) : IDisposable
{
    private byte[] _filling = ArrayPool<byte>.Shared.Rent(2 * tileBytes);
    private byte[] _leaving = ArrayPool<byte>.Shared.Rent(2 * tileBytes);
    private Task _writing = Task.CompletedTask;
    private int _used;
    private long _position;

    /// <summary>Room for the next <paramref name="length"/> bytes, which count after <see cref="Advance"/>.</summary>
    public Span<byte> Reserve(int length)
    {
        if (_used + length > _filling.Length)
        {
            Flush();
        }

        return _filling.AsSpan(_used, length);
    }

    /// <summary>The reserved bytes are filled.</summary>
    public void Advance(int length) => _used += length;

    /// <summary>Writes bytes that are already there.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int part = Math.Min(bytes.Length, tileBytes);
            bytes[..part].CopyTo(Reserve(part));
            Advance(part);
            bytes = bytes[part..];
        }
    }

    /// <summary>Writes what is left; on return the file has every byte.</summary>
    public void Complete()
    {
        Flush();
        AwaitWrite();
    }

    public void Dispose()
    {
        try
        {
            // The buffer belongs to the write until it has ended, also where the caller failed meanwhile.
            _writing.Wait(CancellationToken.None);
        }
        catch (AggregateException)
        {
            // The caller has its own exception under way; one from the disk reached it in AwaitWrite if it came first.
        }

        ArrayPool<byte>.Shared.Return(_filling);
        ArrayPool<byte>.Shared.Return(_leaving);
    }

    private void Flush()
    {
        AwaitWrite();
        cancellationToken.ThrowIfCancellationRequested();
        (_filling, _leaving) = (_leaving, _filling);
        (byte[] buffer, int length, long position) = (_leaving, _used, _position);
        _writing = Task.Run(
            () =>
            {
                RandomAccess.Write(handle, buffer.AsSpan(0, length), position);
                DiskSync.StartWriteBack(handle, position, length);
            },
            CancellationToken.None);
        _position += length;
        _used = 0;
    }

    private void AwaitWrite()
    {
        _writing.GetAwaiter().GetResult();
        progress?.Report(new ByteProgress(_position, total));
    }
}
