namespace Sway.Inference.Cpu;

/// <summary>Activations, float32, row-major (rows, width).</summary>
internal sealed unsafe class CpuTensor : EngineTensor
{
    private readonly BufferPool _pool;
    private BufferPool.Buffer _buffer;
    private Dictionary<(LowRankTerm Term, RowRange Range, float Factor), PackedRows>? _products;
    private bool _disposed;

    public CpuTensor(BufferPool pool, int rows, int width)
        : base(rows, width)
    {
        _pool = pool;
        _buffer = pool.Rent(Math.Max(1L, (long)rows * width));
    }

    private CpuTensor(BufferPool pool, BufferPool.Buffer buffer, int rows, int width)
        : base(rows, width)
    {
        _pool = pool;
        _buffer = buffer;
    }

    /// <summary>The first element.</summary>
    public float* Data => _buffer.Data;

    /// <summary>A row.</summary>
    public float* Row(int row) => _buffer.Data + ((long)row * Width);

    /// <summary>All elements.</summary>
    public Span<float> Span => new(_buffer.Data, checked(Rows * Width));

    /// <summary>The rows interleaved for products, made once for all products that read this tensor.</summary>
    public PackedRows Packed(WorkerPool workers) => Interleaved ??= PackedRows.Create(_pool, workers, Data, Width, Rows, Width);

    /// <summary>The rows interleaved for products, if they have been already.</summary>
    public PackedRows? Interleaved { get; set; }

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
        Interleaved?.Dispose();
        Interleaved = null;
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
        if (!_pool.TryGrow(ref _buffer, (long)rows * Width))
        {
            return null;
        }

        _disposed = true;
        return new CpuTensor(_pool, _buffer, rows, Width);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        Changed();
        _pool.Return(_buffer);
    }
}
