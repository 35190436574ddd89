namespace Sway.Inference.Cpu;

/// <summary>A part of a product that one thread computes at a time: some panels of columns times some tiles of rows.</summary>
internal readonly unsafe struct ProductUnit(
    GemmKernel kernel, int columns, PackedRows rows, PanelSource weights, RowRange range, float* c, nint stride, bool add,
    IReadOnlyList<ProductUpdate> updates, CancellationToken cancellation)
{
    private readonly int _block = MatrixProduct.BlockLength(weights.Inputs);

    /// <summary>Computes some panels of some tiles.</summary>
    /// <param name="tiles">The tiles.</param>
    /// <param name="ownPanels">The panels.</param>
    /// <param name="nextPanels">The panels of the unit that this thread is likely to get next.</param>
    public void Run(Range tiles, Range ownPanels, Range nextPanels)
    {
        var (fromTile, toTile) = (tiles.Start.Value, tiles.End.Value);
        var (fromPanel, toPanel) = (ownPanels.Start.Value, ownPanels.End.Value);
        var panels = toPanel - fromPanel;
        var length = MatrixProduct.PackedInputs(weights.Inputs);
        var own = panels * columns * Math.Min(length, weights.Inputs);
        var packed = AlignedScratch.Panel(own + UpdateFloats(panels));
        PackUpdates(fromPanel, toPanel, packed + own);
        for (var first = 0; first < weights.Inputs; first += length)
        {
            var end = Math.Min(weights.Inputs, first + length);
            Pack(fromPanel, toPanel, first, end, packed);
            var blocks = (end - first + _block - 1) / _block;
            var products = (panels - 1) * blocks * (toTile - fromTile);
            var ahead = end < weights.Inputs
                ? new WeightsAhead(weights, ownPanels, columns, end, products)
                : new WeightsAhead(weights, nextPanels, columns, 0, products);
            for (var tile = fromTile; tile < toTile; tile++)
            {
                cancellation.ThrowIfCancellationRequested();
                Multiply(tile, toTile, fromPanel, toPanel, first, end, packed, ref ahead);
                if (end == weights.Inputs && updates.Count > 0)
                {
                    Update(tile, fromPanel, toPanel, packed + own);
                }
            }
        }
    }

    // Block by block of k, panel by panel, (depth, columns).
    private void Pack(int fromPanel, int toPanel, int first, int end, float* packed)
    {
        for (var k = first; k < end; k += _block)
        {
            var depth = Math.Min(_block, end - k);
            for (var panel = fromPanel; panel < toPanel; panel++, packed += columns * depth)
            {
                cancellation.ThrowIfCancellationRequested();
                weights.Pack(panel * columns, Valid(panel), columns, k, depth, packed);
            }
        }
    }

    private void Multiply(int tile, int toTile, int fromPanel, int toPanel, int first, int end, float* packed, ref WeightsAhead ahead)
    {
        var height = kernel.PackedRows(rows.TileRows(tile));
        for (var k = first; k < end; k += _block)
        {
            var depth = Math.Min(_block, end - k);
            var a = rows.Tile(tile) + ((nint)k * height);
            for (var panel = fromPanel; panel < toPanel; panel++, packed += columns * depth)
            {
                // The first panel's product asks for the rows that come next, the others for the weights that are packed next.
                var next = panel > fromPanel ? ahead.Next()
                    : k + depth < end ? RowsAhead(tile, k + depth, end)
                    : tile + 1 < toTile ? RowsAhead(tile + 1, first, end) : default;
                Tile(tile, range, panel, height, a, packed, depth, add || k > 0, next);
            }
        }
    }

    private WantedBytes RowsAhead(int tile, int k, int end)
    {
        var height = kernel.PackedRows(rows.TileRows(tile));
        return new((byte*)(rows.Tile(tile) + ((nint)k * height)), (nint)Math.Min(_block, end - k) * height * sizeof(float));
    }

    private int Valid(int panel) => Math.Min(columns, weights.Outputs - (panel * columns));

    private int UpdateFloats(int panels)
    {
        var floats = 0;
        for (var i = 0; i < updates.Count; i++)
        {
            floats += panels * columns * updates[i].Weights.Inputs;
        }

        return floats;
    }

    // For each update and panel, (rank, columns); what is outside the update's outputs is not touched and not read.
    private void PackUpdates(int fromPanel, int toPanel, float* packed)
    {
        for (var i = 0; i < updates.Count; i++)
        {
            var source = updates[i].Weights;
            for (var panel = fromPanel; panel < toPanel; panel++, packed += columns * source.Inputs)
            {
                var first = (panel * columns) - updates[i].FirstOutput;
                if (first < 0 || first >= source.Outputs)
                {
                    continue;
                }

                var length = MatrixProduct.BlockLength(source.Inputs);
                for (var k = 0; k < source.Inputs; k += length)
                {
                    source.Pack(
                        first, Math.Min(columns, source.Outputs - first), columns, k, Math.Min(length, source.Inputs - k), packed + (k * columns));
                }
            }
        }
    }

    private void Update(int tile, int fromPanel, int toPanel, float* packed)
    {
        for (var i = 0; i < updates.Count; i++)
        {
            var update = updates[i];
            var rank = update.Weights.Inputs;
            var own = tile - update.FirstTile;
            if (own < 0 || own >= update.Rows.Tiles)
            {
                packed += (toPanel - fromPanel) * columns * rank;
                continue;
            }

            var height = kernel.PackedRows(update.Rows.TileRows(own));
            var a = update.Rows.Tile(own);
            var length = MatrixProduct.BlockLength(rank);
            for (var panel = fromPanel; panel < toPanel; panel++, packed += columns * rank)
            {
                var first = (panel * columns) - update.FirstOutput;
                if (first < 0 || first >= update.Weights.Outputs)
                {
                    continue;
                }

                var valid = Math.Min(columns, update.Weights.Outputs - first);
                for (var k = 0; k < rank; k += length)
                {
                    var at = a + ((nint)k * height);
                    Tile(tile, update.Range, panel, height, at, packed + (k * columns), Math.Min(length, rank - k), add: true, default, valid);
                }
            }
        }
    }

    private void Tile(
        int tile, RowRange wanted, int panel, int height, float* a, float* b, int depth, bool add, WantedBytes next, int valid = 0)
    {
        valid = valid == 0 ? Valid(panel) : valid;
        var first = tile * kernel.TileRows;
        var to = c + (first * stride) + (panel * columns);
        var (from, end) = (Math.Max(0, wanted.First - first), Math.Min(rows.TileRows(tile), wanted.End - first));
        if (valid == columns && from == 0 && end == height)
        {
            Multiply(height, a, b, depth, to, stride, add, next);
        }
        else
        {
            Partial(height, new RowRange(from, end - from), valid, a, b, depth, to, add, next);
        }
    }

    // Where the result has fewer rows or columns than the tile: through a scratch tile, which whole tiles need not pay for.
    private void Partial(int height, RowRange own, int valid, float* a, float* b, int depth, float* to, bool add, WantedBytes next)
    {
        var scratch = stackalloc float[12 * 32];
        Multiply(height, a, b, depth, scratch, columns, add: false, next);
        for (var r = own.First; r < own.End; r++)
        {
            var source = scratch + (r * columns);
            var destination = to + (r * stride);
            for (var j = 0; j < valid; j++)
            {
                destination[j] = add ? source[j] + destination[j] : source[j];
            }
        }
    }

    private void Multiply(int height, float* a, float* b, int depth, float* to, nint distance, bool add, WantedBytes next)
    {
        var address = next.Address == null ? (byte*)a : next.Address;
        var step = (next.Length + depth - 1) / depth;
        if (columns == kernel.Columns)
        {
            kernel.Multiply(height, a, b, depth, to, distance, add, address, step);
        }
        else
        {
            kernel.MultiplyHalf(height, a, b, depth, to, distance, add, address, step);
        }
    }
}
