using System.Runtime.InteropServices;
using Sway.IO;

namespace Sway.Inference.Cpu;

/// <summary>A stretch of addresses from which buffers are cut, each as low as it fits; memory is behind those that were ever lent.</summary>
internal sealed unsafe class BufferRegion : IDisposable
{
    // Of the addresses of a reserved region so many more are made usable at once.
    private const long Step = 4 << 20;

    private readonly bool _reserved;
    private readonly List<(long Offset, long Length)> _free = [];
    private byte* _start;
    private long _usable;

    private BufferRegion(byte* start, long length, bool reserved)
    {
        _start = start;
        Length = length;
        _reserved = reserved;
        _usable = reserved ? 0 : length;
        _free.Add((0, length));
    }

    /// <summary>Addresses in bytes.</summary>
    public long Length { get; }

    /// <summary>Bytes from the start that may have memory behind them.</summary>
    public long Touched { get; private set; }

    /// <summary>The same of the present run alone.</summary>
    public long TouchedOfRun { get; private set; }

    /// <summary>Whether nothing is lent.</summary>
    public bool IsEmpty => _free.Count == 1 && _free[0].Length == Length;

    /// <summary>
    /// Addresses for everything that could ever fit into this machine, without memory behind them, where the system has such; else so
    /// much memory as is needed now.
    /// </summary>
    /// <param name="least">Bytes that must fit.</param>
    /// <param name="reserve">Whether to look for addresses without memory.</param>
    public static BufferRegion Create(long least, bool reserve)
    {
        var page = Environment.SystemPageSize;
        for (var length = Math.Max(least, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes) / page * page + page;
            reserve && MemoryPages.CanReserve && length > least; length = length / 2 / page * page)
        {
            var start = MemoryPages.Reserve(length);
            if (start != null)
            {
                return new BufferRegion(start, length, reserved: true);
            }
        }

        var size = Math.Max(least, 4 * Step);
        return new BufferRegion((byte*)NativeMemory.AlignedAlloc(checked((nuint)size), 64), size, reserved: false);
    }

    /// <summary>Whether an address is one of this region's.</summary>
    public bool Holds(byte* data) => data >= _start && data < _start + Length;

    /// <summary>The lowest free addresses, a multiple of 64 bytes; null where none are long enough.</summary>
    public byte* TryTake(long bytes)
    {
        for (var i = 0; i < _free.Count; i++)
        {
            var (offset, length) = _free[i];
            if (length < bytes || !Use(offset + bytes))
            {
                continue;
            }

            if (length == bytes)
            {
                _free.RemoveAt(i);
            }
            else
            {
                _free[i] = (offset + bytes, length - bytes);
            }

            return _start + offset;
        }

        return null;
    }

    /// <summary>Lends the free addresses right behind lent ones too; false where there are not enough.</summary>
    /// <param name="data">The first lent address.</param>
    /// <param name="bytes">Lent bytes.</param>
    /// <param name="wanted">Bytes to be lent then.</param>
    public bool TryGrow(byte* data, long bytes, long wanted)
    {
        var (end, more) = (data - _start + bytes, wanted - bytes);
        if (more == 0)
        {
            return true;
        }

        var next = _free.FindIndex(range => range.Offset == end && range.Length >= more);
        if (next < 0 || !Use(end + more))
        {
            return false;
        }

        var length = _free[next].Length - more;
        if (length == 0)
        {
            _free.RemoveAt(next);
        }
        else
        {
            _free[next] = (end + more, length);
        }

        return true;
    }

    /// <summary>Takes addresses back.</summary>
    public void Give(byte* data, long bytes)
    {
        var offset = data - _start;
        var next = 0;
        while (next < _free.Count && _free[next].Offset < offset)
        {
            next++;
        }

        if (next < _free.Count && _free[next].Offset == offset + bytes)
        {
            bytes += _free[next].Length;
            _free.RemoveAt(next);
        }

        if (next > 0 && _free[next - 1].Offset + _free[next - 1].Length == offset)
        {
            _free[next - 1] = (_free[next - 1].Offset, _free[next - 1].Length + bytes);
        }
        else
        {
            _free.Insert(next, (offset, bytes));
        }
    }

    /// <summary>Memory goes back to the system that lies higher than what is lent and so many bytes more.</summary>
    public void Shrink(long bytes)
    {
        var used = _free.Count > 0 && _free[^1].Offset + _free[^1].Length == Length ? _free[^1].Offset : Length;
        if (Touched - used - bytes > Step)
        {
            Keep(used + bytes);
        }
    }

    /// <summary>Ends a run, after which nothing is lent: memory far beyond what it used goes back to the system.</summary>
    public void EndRun()
    {
        if (Touched > TouchedOfRun * 3 / 2)
        {
            Keep(TouchedOfRun);
        }

        TouchedOfRun = 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_reserved)
        {
            MemoryPages.Unreserve(_start, Length);
        }
        else
        {
            NativeMemory.AlignedFree(_start);
        }

        _start = null;
    }

    private void Keep(long bytes)
    {
        if (!_reserved)
        {
            return;
        }

        var page = Environment.SystemPageSize;
        var keep = (bytes + page - 1) / page * page;
        MemoryPages.Discard(_start + keep, _usable - keep);
        Touched = bytes;
    }

    private bool Use(long end)
    {
        if (end > _usable)
        {
            var usable = Math.Min(Length, (end + Step - 1) / Step * Step);
            if (!MemoryPages.Commit(_start + _usable, usable - _usable))
            {
                return false;
            }

            _usable = usable;
        }

        Touched = Math.Max(Touched, end);
        TouchedOfRun = Math.Max(TouchedOfRun, end);
        return true;
    }
}
