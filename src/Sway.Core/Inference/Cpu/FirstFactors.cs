namespace Sway.Inference.Cpu;

/// <summary>
/// The products of rows with the first factors of low-rank terms, of all layers that read the same rows at once: while a tile of rows is
/// interleaved and in the first-level cache, all factors pass by it, few and narrow as they are.
/// </summary>
internal sealed unsafe class FirstFactors
{
    // All factors of the tile stay in the second-level cache; more of them are products of their own.
    private const int MostWeights = 96 << 10;

    // Parts for each thread, so that those who are ready sooner take more of them.
    private const int PartsOfThread = 8;

    private readonly List<(LowRankTerm Term, float Factor, PackedRows Rows, int First)> _terms = [];
    private readonly CpuTensor _x;
    private readonly RowRange _range;
    private readonly int _firstTile;
    private int _outputs;

    private FirstFactors(CpuTensor x, RowRange range)
    {
        (_x, _range) = (x, range);
        _firstTile = range.First / GemmKernel.Best.TileRows;
    }

    /// <summary>Has <see cref="CpuTensor.Take"/> find the products with these deltas' terms, where to make them together pays.</summary>
    public static void Expect(BufferPool pool, WorkerPool workers, CpuTensor x, ReadOnlySpan<DeltaRange> deltas)
    {
        if (x.Rows <= GemmKernel.Best.TileRows)
        {
            return;
        }

        FirstFactors? together = null;
        foreach (var delta in deltas)
        {
            var range = new RowRange(delta.FirstRow, delta.Rows);
            if (delta.Strength == 0.0 || delta.Rows == 0)
            {
                continue;
            }

            foreach (var term in delta.Delta.Terms)
            {
                var panels = ((CpuMatrix)term.A).Panels;
                if (panels.Outputs == 0 || x.Keeps(term, range, Factor(delta, term)))
                {
                    continue;
                }

                if (together is not null && (together._range != range || (together._outputs + panels.Outputs) * panels.Inputs > MostWeights))
                {
                    together.Run(pool, workers);
                    together = null;
                }

                if (panels.Outputs * panels.Inputs <= MostWeights)
                {
                    together ??= new FirstFactors(x, range);
                    together.Add(pool, term, Factor(delta, term), panels.Outputs);
                }
            }
        }

        together?.Run(pool, workers);
    }

    /// <summary>The factor on the products of a delta's term: gains and replaced matrices carry the strength themselves.</summary>
    public static float Factor(DeltaRange delta, LowRankTerm term) =>
        (float)(term.Scaling * (delta.Delta.Gains is null && delta.Delta.Replacement is null ? delta.Strength : 1.0));

    private void Add(BufferPool pool, LowRankTerm term, float factor, int rank)
    {
        _terms.Add((term, factor, PackedRows.Reserve(pool, RowsOfTiles(_x, _range), rank), _outputs));
        _outputs += rank;
    }

    /// <summary>Rows of the tiles that a range touches.</summary>
    public static int RowsOfTiles(CpuTensor x, RowRange range)
    {
        var tile = GemmKernel.Best.TileRows;
        return Math.Min(x.Rows, (range.End + tile - 1) / tile * tile) - (range.First / tile * tile);
    }

    private void Run(BufferPool pool, WorkerPool workers)
    {
        var columns = MatrixProduct.ColumnsFor(_outputs);
        var panels = (_outputs + columns - 1) / columns;
        var interleaved = _x.Interleaved;
        var rows = interleaved ?? PackedRows.Reserve(pool, _x.Rows, _x.Width);
        var packed = pool.Rent((long)panels * columns * _x.Width);
        try
        {
            Pack(columns, packed.Data);
            var (from, to) = interleaved is null ? (0, rows.Tiles) : (_firstTile, _firstTile + _terms[0].Rows.Tiles);
            var parts = Math.Min(to - from, workers.Threads * PartsOfThread);
            workers.For(parts, (long)_x.Rows * _x.Width * _outputs, part =>
            {
                for (var tile = from + MatrixProduct.Share(to - from, part, parts); tile < from + MatrixProduct.Share(to - from, part + 1, parts); tile++)
                {
                    workers.Cancellation.ThrowIfCancellationRequested();
                    if (interleaved is null)
                    {
                        rows.Fill(tile, _x.Data, _x.Width);
                    }

                    Multiply(rows, tile, columns, panels, packed.Data);
                }
            });
            _x.Interleaved = rows;
            foreach (var (term, factor, low, _) in _terms)
            {
                _x.Keep(term, _range, factor, low);
            }
        }
        catch
        {
            _terms.ForEach(term => term.Rows.Dispose());
            if (interleaved is null)
            {
                rows.Dispose();
            }

            throw;
        }
        finally
        {
            pool.Return(packed);
        }
    }

    // Panel by panel (inputs, columns); a panel may hold outputs of several factors.
    private void Pack(int columns, float* packed)
    {
        var row = new float[_x.Width];
        new Span<float>(packed, (_outputs + columns - 1) / columns * columns * row.Length).Clear();
        foreach (var (term, _, low, first) in _terms)
        {
            for (var output = first; output < first + low.Depth; output++)
            {
                ((CpuMatrix)term.A).Panels.ReadRow(output - first, row);
                var to = packed + (output / columns * columns * row.Length) + (output % columns);
                for (var k = 0; k < row.Length; k++, to += columns)
                {
                    *to = row[k];
                }
            }
        }
    }

    private void Multiply(PackedRows rows, int tile, int columns, int panels, float* packed)
    {
        var own = tile - _firstTile;
        if (own < 0 || own >= _terms[0].Rows.Tiles)
        {
            return;
        }

        var kernel = GemmKernel.Best;
        var height = kernel.PackedRows(rows.TileRows(tile));
        var stride = panels * columns;
        var results = AlignedScratch.Work((long)height * stride);
        var length = MatrixProduct.BlockLength(rows.Depth);
        for (var panel = 0; panel < panels; panel++)
        {
            var b = packed + (panel * columns * rows.Depth);
            for (var k = 0; k < rows.Depth; k += length)
            {
                var a = rows.Tile(tile) + (k * height);
                kernel.Multiply(
                    columns, height, a, b + (k * columns), Math.Min(length, rows.Depth - k), results + (panel * columns), stride, add: k > 0,
                    default, (byte*)a, 0);
            }
        }

        foreach (var (_, factor, low, first) in _terms)
        {
            var to = low.Tile(own);
            for (var k = first; k < first + low.Depth; k++)
            {
                for (var r = 0; r < height; r++)
                {
                    *to++ = results[(r * stride) + k] * factor;
                }
            }
        }
    }
}
