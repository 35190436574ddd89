using System.Runtime.InteropServices;

namespace Sway.Inference.Cpu;

/// <summary>Native float buffers, 64-byte aligned and used again, so that a pass allocates only what the largest one needs.</summary>
internal sealed unsafe class BufferPool : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<Buffer> _free = [];
    private bool _disposed;

    /// <summary>Bytes that the pool holds or has lent.</summary>
    public long Bytes { get; private set; }

    /// <summary>A buffer of at least so many floats, with undefined contents.</summary>
    public Buffer Rent(long floats)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var best = -1;
            for (var i = 0; i < _free.Count; i++)
            {
                // A buffer more than four times too large stays for those who need it.
                if (_free[i].Length >= floats && _free[i].Length <= (floats * 4) + 4096 && (best < 0 || _free[i].Length < _free[best].Length))
                {
                    best = i;
                }
            }

            if (best >= 0)
            {
                var found = _free[best];
                _free.RemoveAt(best);
                return found;
            }

            var length = (floats + 1023) & ~1023L;
            var data = (float*)NativeMemory.AlignedAlloc(checked((nuint)length * sizeof(float)), 64);
            Bytes += length * sizeof(float);
            return new Buffer(data, length);
        }
    }

    /// <summary>Gives a buffer back.</summary>
    public void Return(Buffer buffer)
    {
        lock (_lock)
        {
            if (!_disposed)
            {
                _free.Add(buffer);
                return;
            }
        }

        NativeMemory.AlignedFree(buffer.Data);
    }

    /// <summary>Frees what nobody uses now.</summary>
    public void Trim()
    {
        lock (_lock)
        {
            foreach (var buffer in _free)
            {
                Bytes -= buffer.Length * sizeof(float);
                NativeMemory.AlignedFree(buffer.Data);
            }

            _free.Clear();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Trim();
        lock (_lock)
        {
            _disposed = true;
        }
    }

    /// <summary>A native array of floats.</summary>
    public readonly struct Buffer(float* data, long length)
    {
        /// <summary>The first element.</summary>
        public float* Data { get; } = data;

        /// <summary>Number of floats.</summary>
        public long Length { get; } = length;
    }
}
