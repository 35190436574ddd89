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

    /// <summary>Room for rows, to be filled tile by tile.</summary>
    public static PackedRows Reserve(BufferPool pool, int rows, int depth) => new(pool, rows, depth);

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

    /// <inheritdoc/>
    public void Dispose() => _pool.Return(_buffer);

    /// <summary>Interleaves the rows of a tile; all rows lie <paramref name="stride"/> floats apart from <paramref name="source"/> on.</summary>
    public void Fill(int tile, float* source, nint stride)
    {
        var kernel = GemmKernel.Best;
        var rows = TileRows(tile);
        RowInterleave.Run(source + (tile * kernel.TileRows * stride), stride, rows, kernel.PackedRows(rows), Depth, Tile(tile));
    }
}
