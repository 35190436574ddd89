namespace Sway.Inference.Cpu;

/// <summary>
/// The updates of a part of a product. The chain of fused multiply-adds of a finished output goes on with the products of the update: in
/// the registers of the tile that made it where that can be, else from where it was stored. The bits are the same.
/// </summary>
internal readonly unsafe struct UpdateUnit
{
    private const int DepthAhead = 64;

    private readonly GemmKernel _kernel;
    private readonly int _columns;
    private readonly int _from;
    private readonly int _to;
    private readonly float* _packed;
    private readonly ProductUpdate[] _updates;
    private readonly float* _c;
    private readonly nint _stride;

    // The tiles and panels that the first update covers wholly.
    private readonly (int From, int To) _wholeTiles;
    private readonly (int From, int To) _wholePanels;

    /// <param name="kernel">The kernel.</param>
    /// <param name="columns">Columns of a panel.</param>
    /// <param name="panels">The panels of the part.</param>
    /// <param name="packed">Room for <see cref="Floats"/>.</param>
    /// <param name="updates">The updates.</param>
    /// <param name="c">The result of row 0, column 0.</param>
    /// <param name="stride">Distance of result rows in floats.</param>
    public UpdateUnit(GemmKernel kernel, int columns, Range panels, float* packed, ProductUpdate[] updates, float* c, nint stride)
    {
        (_kernel, _columns, _updates, _stride) = (kernel, columns, updates, stride);
        (_from, _to) = (panels.Start.Value, panels.End.Value);
        _packed = packed;
        _c = c;
        if (updates is [var first, ..])
        {
            _wholeTiles = ((first.Range.First + kernel.TileRows - 1) / kernel.TileRows, first.Range.End / kernel.TileRows);
            _wholePanels = ((first.FirstOutput + columns - 1) / columns, (first.FirstOutput + first.Weights.Outputs) / columns);
        }
    }

    /// <summary>Floats that the packed weights of all updates take.</summary>
    public static int Floats(ProductUpdate[] updates, int columns, int panels)
    {
        var floats = 0;
        for (var i = 0; i < updates.Length; i++)
        {
            floats += panels * columns * updates[i].Weights.Inputs;
        }

        return floats;
    }

    /// <summary>Packs the weights: for each update and panel (rank, columns); what is outside the update's outputs stays undefined.</summary>
    public void Pack()
    {
        var to = _packed;
        for (var i = 0; i < _updates.Length; i++)
        {
            var source = _updates[i].Weights;
            for (var panel = _from; panel < _to; panel++, to += _columns * source.Inputs)
            {
                var first = (panel * _columns) - _updates[i].FirstOutput;
                if (first >= 0 && first < source.Outputs)
                {
                    PanelOf(source, first, _columns, to);
                }
            }
        }
    }

    /// <summary>What the full register tile of a finished result goes on with; nothing where the first update does not cover the tile.</summary>
    /// <param name="tile">The tile.</param>
    /// <param name="panel">The panel.</param>
    public ProductTail Tail(int tile, int panel) =>
        Covers(tile) && panel >= _wholePanels.From && panel < _wholePanels.To ? TailOf(_updates[0], tile, panel, _packed) : default;

    /// <summary>Asks for the rows of the update that a tile's results go on with.</summary>
    /// <param name="tile">The tile.</param>
    public void Fetch(int tile)
    {
        if (Covers(tile))
        {
            var rows = _updates[0].Rows;
            Prefetch.Rows(rows.Tile(tile - _updates[0].FirstTile), _kernel.TileRows, Math.Min(rows.Depth, DepthAhead), _kernel.TileRows);
        }
    }

    /// <summary>Applies to all panels of a tile what <see cref="Tail"/> has not.</summary>
    /// <param name="tile">The tile.</param>
    /// <param name="tails">Whether the tile had the tails.</param>
    public void Apply(int tile, bool tails)
    {
        tails &= Covers(tile);
        var at = _packed;
        for (var i = 0; i < _updates.Length; i++)
        {
            var update = _updates[i];
            for (var panel = _from; panel < _to; panel++)
            {
                var done = tails && i == 0 && panel >= _wholePanels.From && panel < _wholePanels.To;
                if (!done && Concerns(update, tile, panel))
                {
                    Apply(update, tile, panel, TailOf(update, tile, panel, at));
                }
            }

            at += (_to - _from) * _columns * update.Weights.Inputs;
        }
    }

    private bool Covers(int tile) => tile >= _wholeTiles.From && tile < _wholeTiles.To;

    private bool Concerns(ProductUpdate update, int tile, int panel)
    {
        var first = (panel * _columns) - update.FirstOutput;
        var own = tile - update.FirstTile;
        return first >= 0 && first < update.Weights.Outputs && own >= 0 && own < update.Rows.Tiles;
    }

    private ProductTail TailOf(ProductUpdate update, int tile, int panel, float* of) =>
        new(update.Rows.Tile(tile - update.FirstTile), of + ((nint)(panel - _from) * _columns * update.Weights.Inputs), update.Weights.Inputs);

    private void Apply(ProductUpdate update, int tile, int panel, ProductTail tail)
    {
        var first = tile * _kernel.TileRows;
        var height = _kernel.PackedRows(update.Rows.TileRows(tile - update.FirstTile));
        var to = _c + (first * _stride) + (panel * _columns);
        var valid = Math.Min(_columns, update.Weights.Outputs - ((panel * _columns) - update.FirstOutput));
        if (valid == _columns && update.Range.First <= first && first + height <= update.Range.End)
        {
            Continue(height, tail, to, _stride);
            return;
        }

        // Where there are fewer rows or columns than in the tile: through a scratch tile.
        var (from, end) = (Math.Max(0, update.Range.First - first), Math.Min(height, update.Range.End - first));
        var scratch = stackalloc float[12 * 32];
        for (var r = from; r < end; r++)
        {
            new Span<float>(to + (r * _stride), valid).CopyTo(new Span<float>(scratch + (r * _columns), valid));
        }

        Continue(height, tail, scratch, _columns);
        for (var r = from; r < end; r++)
        {
            new Span<float>(scratch + (r * _columns), valid).CopyTo(new Span<float>(to + (r * _stride), valid));
        }
    }

    private void Continue(int height, ProductTail tail, float* to, nint distance) =>
        _kernel.Multiply(_columns, height, tail.A, tail.B, 0, to, distance, add: true, tail, (byte*)tail.A, 0);

    // The weights of the outputs from one on as (rank, columns).
    private static void PanelOf(PanelSource source, int first, int columns, float* destination)
    {
        var length = MatrixProduct.BlockLength(source.Inputs);
        for (var k = 0; k < source.Inputs; k += length)
        {
            source.Pack(
                first, Math.Min(columns, source.Outputs - first), columns, k, Math.Min(length, source.Inputs - k), destination + (k * columns));
        }
    }
}
