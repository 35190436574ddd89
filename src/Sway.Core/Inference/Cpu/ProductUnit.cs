namespace Sway.Inference.Cpu;

/// <summary>A part of a product that one thread computes at a time: some panels of columns times some tiles of rows.</summary>
internal readonly unsafe struct ProductUnit(
    GemmKernel kernel, int columns, PackedRows rows, PanelSource weights, RowRange range, float* c, nint stride, bool add,
    ProductUpdate[] updates, CancellationToken cancellation)
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
        var packed = AlignedScratch.Panel(own + UpdateUnit.Floats(updates, columns, panels));
        var added = new UpdateUnit(kernel, columns, ownPanels, packed + own, updates, c, stride);
        added.Pack();
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
                Multiply(tile, toTile, fromPanel, toPanel, first, end, packed, added, ref ahead);
                if (end == weights.Inputs && updates.Length > 0)
                {
                    added.Apply(tile, IsWhole(tile));
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

    private void Multiply(int tile, int toTile, int fromPanel, int toPanel, int first, int end, float* packed, in UpdateUnit added, ref WeightsAhead ahead)
    {
        var height = kernel.PackedRows(rows.TileRows(tile));
        var tails = updates.Length > 0 && end == weights.Inputs && IsWhole(tile);
        if (tails)
        {
            added.Fetch(tile);
        }

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
                var tail = tails && k + depth == end ? added.Tail(tile, panel) : default;
                Tile(tile, panel, height, a, packed, depth, add || k > 0, tail, next);
            }
        }
    }

    private WantedBytes RowsAhead(int tile, int k, int end)
    {
        var height = kernel.PackedRows(rows.TileRows(tile));
        return new((byte*)(rows.Tile(tile) + ((nint)k * height)), (nint)Math.Min(_block, end - k) * height * sizeof(float));
    }

    private int Valid(int panel) => Math.Min(columns, weights.Outputs - (panel * columns));

    // Whether all results of a full tile are computed and stored.
    private bool IsWhole(int tile) => OwnRows(tile) is { First: 0 } own && own.Count == kernel.TileRows;

    private RowRange OwnRows(int tile)
    {
        var first = tile * kernel.TileRows;
        var from = Math.Max(0, range.First - first);
        return new RowRange(from, Math.Min(rows.TileRows(tile), range.End - first) - from);
    }

    private void Tile(int tile, int panel, int height, float* a, float* b, int depth, bool add, ProductTail tail, WantedBytes next)
    {
        var to = c + (tile * kernel.TileRows * stride) + (panel * columns);
        var own = OwnRows(tile);
        if (Valid(panel) == columns && own.First == 0 && own.Count == height)
        {
            Multiply(height, a, b, depth, to, stride, add, tail, next);
        }
        else
        {
            Partial(height, own, Valid(panel), a, b, depth, to, add, next);
        }
    }

    // Where the result has fewer rows or columns than the tile: through a scratch tile, which whole tiles need not pay for.
    private void Partial(int height, RowRange own, int valid, float* a, float* b, int depth, float* to, bool add, WantedBytes next)
    {
        var scratch = stackalloc float[12 * 32];
        Multiply(height, a, b, depth, scratch, columns, add: false, default, next);
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

    private void Multiply(int height, float* a, float* b, int depth, float* to, nint distance, bool add, ProductTail tail, WantedBytes next)
    {
        var address = next.Address == null ? (byte*)a : next.Address;
        var step = next.Step(depth);
        kernel.Multiply(columns, height, a, b, depth, to, distance, add, tail, address, step);
    }
}
