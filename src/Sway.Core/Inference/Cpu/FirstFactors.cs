using System.Numerics.Tensors;

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
        var interleaved = _x.Interleaved;
        var rows = interleaved ?? _x.PlaceForInterleaved();
        var packed = pool.Rent(NarrowKernel.Best.Floats(_outputs, _x.Width));
        try
        {
            Pack(packed.Data);
            var (from, to) = interleaved is null ? (0, rows.Tiles) : (_firstTile, _firstTile + _terms[0].Rows.Tiles);
            var parts = Math.Min(to - from, workers.Threads * PartsOfThread);
            workers.For(parts, (long)_x.Rows * _x.Width * _outputs, part =>
            {
                for (var tile = from + MatrixProduct.Share(to - from, part, parts); tile < from + MatrixProduct.Share(to - from, part + 1, parts); tile++)
                {
                    workers.Cancellation.ThrowIfCancellationRequested();
                    if (interleaved is null)
                    {
                        _x.Interleave(rows, tile);
                    }

                    Multiply(rows, tile, packed.Data, interleaved is null ? _x.Wanted(rows, tile + 1) : default);
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

    private void Pack(float* packed)
    {
        var row = new float[_x.Width];
        new Span<float>(packed, checked((int)NarrowKernel.Best.Floats(_outputs, row.Length))).Clear();
        foreach (var (term, _, low, first) in _terms)
        {
            for (var output = 0; output < low.Depth; output++)
            {
                ((CpuMatrix)term.A).Panels.ReadRow(output, row);
                NarrowKernel.Best.Put(packed, _outputs, first + output, row);
            }
        }
    }

    private void Multiply(PackedRows rows, int tile, float* packed, (WantedBytes First, WantedBytes Second) next)
    {
        var own = tile - _firstTile;
        if (own < 0 || own >= _terms[0].Rows.Tiles)
        {
            return;
        }

        var height = GemmKernel.Best.PackedRows(rows.TileRows(tile));
        var results = AlignedScratch.Rows((long)_outputs * height);
        NarrowKernel.Best.Multiply(rows.Tile(tile), height, rows.Depth, packed, _outputs, results, next.First, next.Second);
        foreach (var (_, factor, low, first) in _terms)
        {
            var count = low.Depth * height;
            TensorPrimitives.Multiply(new ReadOnlySpan<float>(results + (first * height), count), factor, new Span<float>(low.Tile(own), count));
        }
    }
}
