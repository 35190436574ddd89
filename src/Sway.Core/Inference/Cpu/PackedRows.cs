using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sway.Inference.Cpu;

/// <summary>Rows interleaved by k in tiles of the kernel's height: tile t holds rows t*H ... and starts at t*H*depth.</summary>
internal sealed unsafe class PackedRows : IDisposable
{
    private readonly BufferPool _pool;
    private readonly BufferPool.Buffer _buffer;

    private PackedRows(BufferPool pool, int rows, int depth)
    {
        _pool = pool;
        Rows = rows;
        Depth = depth;
        var kernel = GemmKernel.Best;
        var tiles = (rows + kernel.TileRows - 1) / kernel.TileRows;
        _buffer = pool.Rent((long)tiles * kernel.TileRows * depth);
    }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Length of a row.</summary>
    public int Depth { get; }

    /// <summary>Number of tiles.</summary>
    public int Tiles => (Rows + GemmKernel.Best.TileRows - 1) / GemmKernel.Best.TileRows;

    /// <summary>Interleaves rows that lie <paramref name="stride"/> floats apart.</summary>
    public static PackedRows Create(BufferPool pool, WorkerPool workers, float* source, nint stride, int rows, int depth)
    {
        var packed = new PackedRows(pool, rows, depth);
        var start = (nint)source;
        workers.For(packed.Tiles, (long)rows * depth, tile => packed.Fill(tile, (float*)start, stride));
        return packed;
    }

    /// <summary>The interleaved elements of a tile.</summary>
    public float* Tile(int tile) => _buffer.Data + ((long)tile * GemmKernel.Best.TileRows * Depth);

    /// <summary>Rows that count in a tile.</summary>
    public int TileRows(int tile) => Math.Min(GemmKernel.Best.TileRows, Rows - (tile * GemmKernel.Best.TileRows));

    /// <summary>Interleaves up to a tile of rows; rows that are not there become zeros.</summary>
    /// <param name="source">The first row.</param>
    /// <param name="stride">Distance of rows in floats.</param>
    /// <param name="rows">Rows that are there.</param>
    /// <param name="packedRows">Rows to write.</param>
    /// <param name="depth">Length of a row.</param>
    /// <param name="destination">(depth, packedRows).</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Interleave(float* source, nint stride, int rows, int packedRows, int depth, float* destination)
    {
        if (rows == packedRows && packedRows % 4 == 0 && Sse.IsSupported)
        {
            Interleave4(source, stride, rows, depth, destination);
            return;
        }

        for (var r = 0; r < packedRows; r++)
        {
            var to = destination + r;
            if (r >= rows)
            {
                for (var k = 0; k < depth; k++, to += packedRows)
                {
                    *to = 0f;
                }

                continue;
            }

            var from = source + (r * stride);
            for (var k = 0; k < depth; k++, to += packedRows)
            {
                *to = from[k];
            }
        }
    }

    // Squares of 4 x 4, transposed in registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Interleave4(float* source, nint stride, int rows, int depth, float* destination)
    {
        for (var r = 0; r < rows; r += 4)
        {
            var from = source + (r * stride);
            var to = destination + r;
            var k = 0;
            for (; k + 4 <= depth; k += 4, to += 4 * rows)
            {
                var a = Vector128.Load(from + k);
                var b = Vector128.Load(from + stride + k);
                var c = Vector128.Load(from + (2 * stride) + k);
                var d = Vector128.Load(from + (3 * stride) + k);
                var low = Sse.UnpackLow(a, b);
                var high = Sse.UnpackHigh(a, b);
                var low2 = Sse.UnpackLow(c, d);
                var high2 = Sse.UnpackHigh(c, d);
                Sse.MoveLowToHigh(low, low2).Store(to);
                Sse.MoveHighToLow(low2, low).Store(to + rows);
                Sse.MoveLowToHigh(high, high2).Store(to + (2 * rows));
                Sse.MoveHighToLow(high2, high).Store(to + (3 * rows));
            }

            for (; k < depth; k++, to += rows)
            {
                to[0] = from[k];
                to[1] = from[stride + k];
                to[2] = from[(2 * stride) + k];
                to[3] = from[(3 * stride) + k];
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _pool.Return(_buffer);

    private void Fill(int tile, float* source, nint stride)
    {
        var kernel = GemmKernel.Best;
        var rows = TileRows(tile);
        Interleave(source + (tile * kernel.TileRows * stride), stride, rows, kernel.PackedRows(rows), Depth, Tile(tile));
    }
}
