namespace Sway.Inference.Cpu;

/// <summary>
/// Activations, float32, row-major (rows, width). The rows may be pending: then they are computed on their way into the order of
/// products, or by <see cref="Settle"/> where somebody wants to read them.
/// </summary>
internal sealed unsafe class CpuTensor : EngineTensor
{
    // A row of several lines takes about as long to compute as memory takes to answer.
    private const int RowsAhead = 2;

    private readonly BufferPool _pool;
    private BufferPool.Buffer _buffer;
    private double[]? _placeForSquares;
    private PendingRows? _pending;
    private List<CpuTensor>? _dependents;
    private PackedRows? _interleaved;
    private Dictionary<(LowRankTerm Term, RowRange Range, float Factor), PackedRows>? _products;
    private bool _disposed;

    /// <summary>A tensor to be filled, with room for its rows in the order of products.</summary>
    public CpuTensor(BufferPool pool, int rows, int width)
        : this(pool, pool.Rent(Floats(rows, width)), rows, width)
    {
    }

    /// <summary>A tensor whose rows are computed when they are wanted.</summary>
    public CpuTensor(BufferPool pool, int rows, int width, PendingRows pending)
        : this(pool, default(BufferPool.Buffer), rows, width)
    {
        _pending = pending;
        if (pending.Source is { } source)
        {
            (source._dependents ??= []).Add(this);
        }
    }

    private CpuTensor(BufferPool pool, BufferPool.Buffer buffer, int rows, int width)
        : base(rows, width)
    {
        _pool = pool;
        _buffer = buffer;
    }

    /// <summary>The first element; only of settled rows.</summary>
    public float* Data => _buffer.Data;

    /// <summary>Floats that the memory behind the rows holds.</summary>
    public long Room => _buffer.Length;

    /// <summary>A row; only of settled rows.</summary>
    public float* Row(int row) => _buffer.Data + ((long)row * Width);

    /// <summary>All elements; only of settled rows.</summary>
    public Span<float> Span => new(_buffer.Data, checked(Rows * Width));

    /// <summary>The sum of each row's squares, of settled rows, if it is known.</summary>
    public double[]? Squares { get; set; }

    /// <summary>The rows interleaved for products, if they have been already.</summary>
    public PackedRows? Interleaved
    {
        get => _interleaved;
        set
        {
            _interleaved = value;
            if (_pending is { Source: null })
            {
                EndPending();
            }
        }
    }

    /// <summary>Where the sums of squares can be put.</summary>
    public double[] PlaceForSquares() => _placeForSquares ??= new double[Rows];

    /// <summary>Asks for the row that will be wanted soon after another one.</summary>
    public void FetchAhead(int row)
    {
        if (row + RowsAhead < Rows)
        {
            Prefetch.Rows(Row(row + RowsAhead), Width, 1, Width);
        }
    }

    /// <summary>The rows interleaved for products, made once for all products that read this tensor.</summary>
    public PackedRows Packed(WorkerPool workers)
    {
        if (_interleaved is not null)
        {
            return _interleaved;
        }

        var rows = PlaceForInterleaved();
        try
        {
            workers.For(rows.Tiles, Rows * (_pending?.StepsOfRow ?? Width), tile => Interleave(rows, tile));
            return Interleaved = rows;
        }
        catch
        {
            rows.Dispose();
            throw;
        }
    }

    /// <summary>Where the rows can be interleaved; belongs to the caller until it is <see cref="Interleaved"/>.</summary>
    public PackedRows PlaceForInterleaved() => _pending?.TakePlace(PackedRows.Floats(Rows, Width)) is { } place
        ? new PackedRows(_pool, Rows, Width, place)
        : PackedRows.Reserve(_pool, Rows, Width);

    /// <summary>Interleaves the rows of a tile.</summary>
    /// <param name="rows">What <see cref="PlaceForInterleaved"/> gave.</param>
    /// <param name="tile">The tile.</param>
    public void Interleave(PackedRows rows, int tile)
    {
        if (_pending is null)
        {
            rows.Fill(tile, Data, Width);
            return;
        }

        var (first, count) = (tile * GemmKernel.Best.TileRows, rows.TileRows(tile));
        var scratch = AlignedScratch.Rows((long)count * Width);
        for (var r = 0; r < count; r++)
        {
            _pending.Compute(first + r, scratch + ((long)r * Width));
        }

        rows.FillFrom(scratch, tile, Width);
    }

    /// <summary>What interleaving a tile reads and writes; memory of no more than two places.</summary>
    public (WantedBytes First, WantedBytes Second) Wanted(PackedRows rows, int tile)
    {
        if (tile >= rows.Tiles)
        {
            return default;
        }

        var (first, count) = (tile * GemmKernel.Best.TileRows, rows.TileRows(tile));
        var (one, other) = _pending?.Inputs(first, count) ?? (Bytes(first, count), default);
        return other.Length > 0 ? (one, other) : (one, new WantedBytes((byte*)rows.Tile(tile), (nint)count * Width * sizeof(float)));
    }

    /// <summary>Some rows; only of settled ones.</summary>
    public WantedBytes Bytes(int row, int count) => new((byte*)Row(row), (nint)count * Width * sizeof(float));

    /// <summary>Has the rows in memory, one after the other.</summary>
    public void Settle()
    {
        if (_buffer.Data != null || _disposed)
        {
            return;
        }

        var floats = Floats(Rows, Width);
        if (_pending is { } pending)
        {
            _buffer = pending.TakePlace(floats) ?? _pool.Rent(floats);
            pending.Workers.ForRows(Rows, pending.StepsOfRow, row => pending.Compute(row, Row(row)));
            EndPending();
            return;
        }

        _buffer = _pool.Rent(floats);
        for (var tile = 0; tile < _interleaved!.Tiles; tile++)
        {
            _interleaved.Restore(tile, Row(tile * GemmKernel.Best.TileRows));
        }
    }

    /// <summary>Keeps the product of some rows with a term's first factor, times a factor, until it is taken.</summary>
    public void Keep(LowRankTerm term, RowRange range, float factor, PackedRows product)
    {
        // A term that two layers share is multiplied again by the second.
        Take(term, range, factor)?.Dispose();
        (_products ??= [])[(term, range, factor)] = product;
    }

    /// <summary>Whether such a product is kept.</summary>
    public bool Keeps(LowRankTerm term, RowRange range, float factor) => _products?.ContainsKey((term, range, factor)) == true;

    /// <summary>Such a product, which belongs to the caller from now on; null where none is kept.</summary>
    public PackedRows? Take(LowRankTerm term, RowRange range, float factor) =>
        _products is not null && _products.Remove((term, range, factor), out var product) ? product : null;

    /// <summary>Forgets the interleaved rows and their products, because the elements change.</summary>
    public void Changed()
    {
        foreach (var dependent in _dependents?.ToArray() ?? [])
        {
            dependent.SourceChanges();
        }

        Squares = null;
        _interleaved?.Dispose();
        _interleaved = null;
        foreach (var product in _products?.Values ?? Enumerable.Empty<PackedRows>())
        {
            product.Dispose();
        }

        _products = null;
    }

    /// <summary>
    /// These elements with room for more rows behind them, in a tensor that takes this one's place; null, and nothing happens, where the
    /// memory behind is lent.
    /// </summary>
    public CpuTensor? TryGrow(int rows)
    {
        // What follows may be the interleaved rows.
        Changed();
        if (!_pool.TryGrow(ref _buffer, Math.Max(Room, Floats(rows, Width))))
        {
            return null;
        }

        _disposed = true;
        return new CpuTensor(_pool, _buffer, rows, Width);
    }

    /// <summary>These elements in a tensor that takes this one's place.</summary>
    public CpuTensor Move()
    {
        Changed();
        _disposed = true;
        return new CpuTensor(_pool, TakeBuffer(), Rows, Width);
    }

    /// <summary>The memory of the elements, which belongs to the caller from now on.</summary>
    public BufferPool.Buffer TakeBuffer()
    {
        var taken = _buffer;
        _buffer = default;
        return taken;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        EndPending();
        Changed();
        if (_buffer.Data != null)
        {
            _pool.Return(_buffer);
        }
    }

    // With room for whole tiles, so that interleaved rows can take the place of the others; few rows are not worth it.
    private static long Floats(int rows, int width) =>
        rows > GemmKernel.Best.TileRows ? PackedRows.Floats(rows, width) : Math.Max(1L, (long)rows * width);

    // Rows that are interleaved already can be had from those.
    private void SourceChanges()
    {
        if (_interleaved is null)
        {
            Settle();
        }
        else
        {
            EndPending();
        }
    }

    private void EndPending()
    {
        if (_pending is { } pending)
        {
            _pending = null;
            pending.Source?._dependents?.Remove(this);
            pending.Release();
        }
    }
}
