namespace Sway.Inference.Cpu;

/// <summary>Rows interleaved by k in tiles of the kernel's height: tile t holds rows t*H ... and starts at t*H*depth.</summary>
internal sealed unsafe class PackedRows : IDisposable
{
    private readonly BufferPool _pool;
    private readonly BufferPool.Buffer _buffer;

    /// <param name="pool">Where the memory belongs.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="depth">Length of a row.</param>
    /// <param name="buffer">Memory for <see cref="Floats"/>, which belongs to the new object.</param>
    public PackedRows(BufferPool pool, int rows, int depth, BufferPool.Buffer buffer)
    {
        _pool = pool;
        Rows = rows;
        Depth = depth;
        _buffer = buffer;
    }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Length of a row.</summary>
    public int Depth { get; }

    /// <summary>Number of tiles.</summary>
    public int Tiles => (Rows + GemmKernel.Best.TileRows - 1) / GemmKernel.Best.TileRows;

    /// <summary>Room for rows, to be filled tile by tile.</summary>
    public static PackedRows Reserve(BufferPool pool, int rows, int depth) => new(pool, rows, depth, pool.Rent(Floats(rows, depth)));

    /// <summary>Floats that interleaved rows take: whole tiles.</summary>
    public static long Floats(int rows, int depth) => (rows + GemmKernel.Best.TileRows - 1L) / GemmKernel.Best.TileRows * GemmKernel.Best.TileRows * depth;

    /// <summary>Interleaves rows that lie <paramref name="stride"/> floats apart.</summary>
    public static PackedRows Create(BufferPool pool, WorkerPool workers, float* source, nint stride, int rows, int depth)
    {
        var packed = Reserve(pool, rows, depth);
        var start = (nint)source;
        workers.For(packed.Tiles, (long)rows * depth, tile => packed.Fill(tile, (float*)start, stride));
        return packed;
    }

    /// <summary>The interleaved elements of a tile.</summary>
    public float* Tile(int tile) => _buffer.Data + ((long)tile * GemmKernel.Best.TileRows * Depth);

    /// <summary>Rows that count in a tile.</summary>
    public int TileRows(int tile) => Math.Min(GemmKernel.Best.TileRows, Rows - (tile * GemmKernel.Best.TileRows));

    /// <inheritdoc/>
    public void Dispose() => _pool.Return(_buffer);

    /// <summary>Writes the rows of a tile side by side again.</summary>
    public void Restore(int tile, float* destination)
    {
        var (height, rows) = (GemmKernel.Best.PackedRows(TileRows(tile)), TileRows(tile));
        var from = Tile(tile);
        for (var r = 0; r < rows; r++)
        {
            for (var k = 0; k < Depth; k++)
            {
                *destination++ = from[(k * height) + r];
            }
        }
    }

    /// <summary>Interleaves the rows of a tile; all rows lie <paramref name="stride"/> floats apart from <paramref name="source"/> on.</summary>
    public void Fill(int tile, float* source, nint stride)
    {
        FillFrom(source + ((long)tile * GemmKernel.Best.TileRows * stride), tile, stride);
    }

    /// <summary>Interleaves the rows of a tile, which lie <paramref name="stride"/> floats apart from <paramref name="first"/> on.</summary>
    public void FillFrom(float* first, int tile, nint stride) =>
        RowInterleave.Run(first, stride, TileRows(tile), GemmKernel.Best.PackedRows(TileRows(tile)), Depth, Tile(tile));
}
