using System.Numerics;
using System.Runtime.InteropServices;

namespace Sway.Inference.Cpu;

/// <summary>Native float buffers, 64-byte aligned and used again, so that a run allocates only what its largest layer needs.</summary>
internal sealed unsafe class BufferPool : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<Buffer> _free = [];
    private readonly Dictionary<nint, Buffer> _lent = [];
    private long _lentBytes;
    private long _peakOfRun;
    private bool _disposed;

    /// <summary>Bytes that the pool holds or has lent.</summary>
    public long Bytes { get; private set; }

    /// <summary>The most bytes that it ever held.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>A buffer of at least so many floats, with undefined contents.</summary>
    public Buffer Rent(long floats)
    {
        var length = SizeClass(floats);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var buffer = Take(length) ?? Allocate(length);
            _lent.Add((nint)buffer.Data, buffer);
            _lentBytes += buffer.Bytes;
            _peakOfRun = Math.Max(_peakOfRun, _lentBytes);
            return buffer;
        }
    }

    /// <summary>Gives a buffer back; one that <see cref="Reclaim"/> has taken already is left alone.</summary>
    public void Return(Buffer buffer)
    {
        lock (_lock)
        {
            if (_lent.Remove((nint)buffer.Data))
            {
                _lentBytes -= buffer.Bytes;
                _free.Add(buffer);
                if (_disposed)
                {
                    Trim();
                }
            }
        }
    }

    /// <summary>
    /// Ends a run: takes back all that is lent (an interrupted run leaves some), and frees what this run did not need, so that one
    /// long text does not hold its memory for all short ones after it.
    /// </summary>
    public void Reclaim()
    {
        lock (_lock)
        {
            _free.AddRange(_lent.Values);
            _lent.Clear();
            _lentBytes = 0;
            if (Bytes > _peakOfRun * 3 / 2)
            {
                Trim();
            }

            _peakOfRun = 0;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            Trim();
        }
    }

    // Eighths of powers of two: batches of about the same size use the same buffers.
    private static long SizeClass(long floats)
    {
        var least = Math.Max(1024, floats);
        var step = Math.Max(1024, (long)BitOperations.RoundUpToPowerOf2((ulong)least) / 16);
        return checked((least + step - 1) / step * step);
    }

    private Buffer? Take(long length)
    {
        var best = -1;
        for (var i = 0; i < _free.Count; i++)
        {
            // A buffer more than half as large again stays for those who need it.
            if (_free[i].Length >= length && _free[i].Length <= length * 3 / 2 && (best < 0 || _free[i].Length < _free[best].Length))
            {
                best = i;
            }
        }

        if (best < 0)
        {
            return null;
        }

        var found = _free[best];
        _free.RemoveAt(best);
        return found;
    }

    private Buffer Allocate(long length)
    {
        var data = (float*)NativeMemory.AlignedAlloc(checked((nuint)length * sizeof(float)), 64);
        Bytes += length * sizeof(float);
        PeakBytes = Math.Max(PeakBytes, Bytes);
        return new Buffer(data, length);
    }

    private void Trim()
    {
        foreach (var buffer in _free)
        {
            Bytes -= buffer.Bytes;
            NativeMemory.AlignedFree(buffer.Data);
        }

        _free.Clear();
    }

    /// <summary>A native array of floats.</summary>
    public readonly struct Buffer(float* data, long length)
    {
        /// <summary>The first element.</summary>
        public float* Data { get; } = data;

        /// <summary>Number of floats.</summary>
        public long Length { get; } = length;

        /// <summary>Number of bytes.</summary>
        public long Bytes => Length * sizeof(float);
    }
}
