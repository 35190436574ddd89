namespace Sway.Inference.Cpu;

/// <summary>
/// Native float buffers, 64-byte aligned. They are cut from stretches of addresses rather than from the heap, so that a run holds little
/// more than what is lent at once, and what is given back goes back to the system.
/// </summary>
/// <param name="reserve">Whether to reserve addresses beforehand where the system can.</param>
internal sealed unsafe class BufferPool(bool reserve = true) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<BufferRegion> _regions = [];
    private readonly Dictionary<nint, Buffer> _lent = [];
    private long _lentBytes;
    private bool _disposed;

    /// <summary>Bytes that may have memory behind them.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock)
            {
                return _regions.Sum(region => region.Touched);
            }
        }
    }

    /// <summary>The most bytes that were lent at once.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>A buffer of at least so many floats, with undefined contents.</summary>
    /// <exception cref="OutOfMemoryException">The system gives no more.</exception>
    public Buffer Rent(long floats)
    {
        var bytes = Size(floats);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var buffer = new Buffer((float*)Take(bytes), bytes / sizeof(float));
            _lent.Add((nint)buffer.Data, buffer);
            _lentBytes += bytes;
            PeakBytes = Math.Max(PeakBytes, _lentBytes);
            return buffer;
        }
    }

    /// <summary>Makes a lent buffer longer where it lies, with its contents; false, and nothing happens, where what follows is lent.</summary>
    public bool TryGrow(ref Buffer buffer, long floats)
    {
        var bytes = Size(floats);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var own = buffer.Bytes;
            if (bytes < own || !_lent.ContainsKey((nint)buffer.Data))
            {
                return false;
            }

            foreach (var region in _regions)
            {
                if (region.Holds((byte*)buffer.Data) && region.TryGrow((byte*)buffer.Data, own, bytes))
                {
                    buffer = new Buffer(buffer.Data, bytes / sizeof(float));
                    _lent[(nint)buffer.Data] = buffer;
                    _lentBytes += bytes - own;
                    PeakBytes = Math.Max(PeakBytes, _lentBytes);
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Gives a buffer back; one that <see cref="Reclaim"/> has taken already is left alone.</summary>
    public void Return(Buffer buffer)
    {
        lock (_lock)
        {
            if (_lent.Remove((nint)buffer.Data))
            {
                Give(buffer);
                if (_disposed)
                {
                    Trim();
                }
            }
        }
    }

    /// <summary>Gives memory back that is not needed for so many bytes beside what is lent.</summary>
    public void Shrink(long bytes)
    {
        lock (_lock)
        {
            foreach (var region in _regions)
            {
                region.Shrink(bytes);
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
            foreach (var buffer in _lent.Values)
            {
                Give(buffer);
            }

            _lent.Clear();
            for (var i = _regions.Count - 1; i >= 0; i--)
            {
                if (_regions[i].TouchedOfRun == 0)
                {
                    _regions[i].Dispose();
                    _regions.RemoveAt(i);
                }
                else
                {
                    _regions[i].EndRun();
                }
            }
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

    private static long Size(long floats) => checked((Math.Max(1, floats) * sizeof(float) + 63) / 64 * 64);

    private byte* Take(long bytes)
    {
        foreach (var region in _regions)
        {
            var data = region.TryTake(bytes);
            if (data != null)
            {
                return data;
            }
        }

        // A reserved region that the system gives no memory to leaves the heap, which knows how to say so.
        byte* first = null;
        for (var reserved = reserve; first == null; reserved = false)
        {
            var added = BufferRegion.Create(bytes, reserved);
            _regions.Add(added);
            first = added.TryTake(bytes);
        }

        return first;
    }

    private void Give(Buffer buffer)
    {
        _lentBytes -= buffer.Bytes;
        foreach (var region in _regions)
        {
            if (region.Holds((byte*)buffer.Data))
            {
                region.Give((byte*)buffer.Data, buffer.Bytes);
                return;
            }
        }
    }

    // What is lent still stays until it comes back.
    private void Trim()
    {
        for (var i = _regions.Count - 1; i >= 0; i--)
        {
            if (_regions[i].IsEmpty)
            {
                _regions[i].Dispose();
                _regions.RemoveAt(i);
            }
        }
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
