using System.Numerics.Tensors;

namespace Sway.Inference.Cpu;

/// <summary>
/// The low-rank terms of a linear layer's views, as far as their second products can be added while the layer's own result is in cache:
/// where nothing replaces the layer's result in between and the term begins at a panel.
/// </summary>
internal sealed unsafe class FusedTerms : IDisposable
{
    private readonly List<ProductUpdate> _updates = [];

    private FusedTerms()
    {
    }

    /// <summary>The second products.</summary>
    public ProductUpdate[] Updates => [.. _updates];

    /// <summary>Whether a term of a delta is among those.</summary>
    public static bool Contains(LinearDelta delta, LowRankTerm term, double strength) =>
        delta.Replacement is null && (delta.Gains is null || strength == 1.0) && term.FirstOutput % GemmKernel.Best.Columns == 0;

    /// <summary>Makes the first products of all terms that can be added so.</summary>
    public static FusedTerms Compute(BufferPool pool, WorkerPool workers, CpuTensor x, ReadOnlySpan<DeltaRange> deltas)
    {
        var terms = new FusedTerms();
        FirstFactors.Expect(pool, workers, x, deltas);
        foreach (var range in deltas)
        {
            if (range.Strength == 0.0 || range.Rows == 0)
            {
                continue;
            }

            foreach (var term in range.Delta.Terms)
            {
                if (Contains(range.Delta, term, range.Strength))
                {
                    terms.Add(pool, workers, x, new RowRange(range.FirstRow, range.Rows), term, FirstFactors.Factor(range, term));
                }
            }
        }

        return terms;
    }

    /// <summary>Makes the first product of one term of a delta.</summary>
    public static FusedTerms Compute(BufferPool pool, WorkerPool workers, CpuTensor x, DeltaRange delta, LowRankTerm term)
    {
        var terms = new FusedTerms();
        terms.Add(pool, workers, x, new RowRange(delta.FirstRow, delta.Rows), term, FirstFactors.Factor(delta, term));
        return terms;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var update in _updates)
        {
            update.Rows.Dispose();
        }
    }

    // The result has the tiles of x, so that a tile of the one is added to a tile of the other; rows outside the range stay undefined.
    private void Add(BufferPool pool, WorkerPool workers, CpuTensor x, RowRange range, LowRankTerm term, float factor)
    {
        var down = ((CpuMatrix)term.A).Panels;
        if (down.Outputs == 0)
        {
            return;
        }

        var product = x.Take(term, range, factor) ?? Product(pool, workers, x, range, down, factor);
        _updates.Add(new ProductUpdate(product, range.First / GemmKernel.Best.TileRows, range, ((CpuMatrix)term.B).Panels, term.FirstOutput));
    }

    private static PackedRows Product(BufferPool pool, WorkerPool workers, CpuTensor x, RowRange range, PanelSource down, float factor)
    {
        var first = range.First / GemmKernel.Best.TileRows * GemmKernel.Best.TileRows;
        using var low = new CpuTensor(pool, FirstFactors.RowsOfTiles(x, range), down.Outputs);
        MatrixProduct.Run(workers, x.Packed(workers), down, low.Data - ((nint)first * low.Width), low.Width, add: false, range);
        TensorPrimitives.Multiply(low.Span, factor, low.Span);
        return PackedRows.Create(pool, workers, low.Data, low.Width, low.Rows, low.Width);
    }
}
