namespace Sway.Inference.Cpu;

/// <summary>Products of packed rows with weight panels.</summary>
/// <remarks>
/// A sum over k is made of the blocks of <see cref="BlockLength"/>, each one chain of fused multiply-adds from zero, added in
/// ascending order: the same bits for any number of rows, columns and threads, and for every kernel.
/// </remarks>
internal static unsafe class MatrixProduct
{
    private const int LongestBlock = 768;

    // So many columns of a block of k are 384 KB: they stay in the second-level cache while all rows pass by.
    private const int ColumnsAtOnce = 128;

    // A unit of fewer rows would pay more for its panels than it gains by another thread.
    private const int RowsOfUnit = 480;

    /// <summary>Length of the blocks of k (the last may be shorter) for so many inputs.</summary>
    /// <remarks>Blocks begin at multiples of 128 where that divides the inputs, of 64 otherwise, so that no group of quantized values is divided.</remarks>
    public static int BlockLength(int inputs)
    {
        var blocks = Math.Max(1, (inputs + LongestBlock - 1) / LongestBlock);
        var unit = inputs % 128 == 0 ? 128 : 64;
        return (((inputs + blocks - 1) / blocks) + unit - 1) / unit * unit;
    }

    /// <summary>c = rows times weights, or c += that.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="rows">(rows, inputs).</param>
    /// <param name="weights">(outputs, inputs).</param>
    /// <param name="c">The first result.</param>
    /// <param name="stride">Distance of result rows in floats.</param>
    /// <param name="add">Whether to add to the result instead of setting it.</param>
    public static void Run(WorkerPool workers, PackedRows rows, PanelSource weights, float* c, nint stride, bool add)
    {
        if (rows.Depth != weights.Inputs)
        {
            throw new ArgumentException($"{rows.Depth} inputs for a matrix of {weights.Inputs}.", nameof(rows));
        }

        var kernel = GemmKernel.Best;
        var panels = (weights.Outputs + kernel.Columns - 1) / kernel.Columns;
        var cost = (long)rows.Rows * rows.Depth * weights.Outputs;
        if (rows.Rows == 1)
        {
            workers.For(panels, cost, panel => Row(kernel, rows.Tile(0), weights, panel, c, add));
            return;
        }

        // A unit is some panels times all rows, or a part of them; every thread gets as many units of the same size.
        var largest = ColumnsAtOnce / kernel.Columns;
        var groups = Math.Min(panels, workers.Threads * ((panels + (largest * workers.Threads) - 1) / (largest * workers.Threads)));
        var chunks = workers.Threads == 1 ? 1 : Math.Clamp(rows.Rows / RowsOfUnit, 1, ((4 * workers.Threads) + groups - 1) / groups);
        workers.For(groups * chunks, cost, unit =>
        {
            var (chunk, group) = (unit / groups, unit % groups);
            var (fromTile, toTile) = (Share(rows.Tiles, chunk, chunks), Share(rows.Tiles, chunk + 1, chunks));
            var (fromPanel, toPanel) = (Share(panels, group, groups), Share(panels, group + 1, groups));
            Unit(kernel, rows, fromTile, toTile, weights, fromPanel, toPanel - fromPanel, c, stride, add, workers.Cancellation);
        });
    }

    private static int Share(int count, int part, int parts) => (int)((long)count * part / parts);

    private static void Unit(
        GemmKernel kernel, PackedRows rows, int fromTile, int toTile, PanelSource weights, int firstPanel, int panels, float* c, nint stride,
        bool add, CancellationToken cancellation)
    {
        var columns = kernel.Columns;
        var length = BlockLength(weights.Inputs);
        var packed = AlignedScratch.Panel(panels * columns * Math.Min(length, weights.Inputs));
        for (var k = 0; k < weights.Inputs; k += length)
        {
            var depth = Math.Min(length, weights.Inputs - k);
            for (var p = 0; p < panels; p++)
            {
                cancellation.ThrowIfCancellationRequested();
                var first = (firstPanel + p) * columns;
                weights.Pack(first, Math.Min(columns, weights.Outputs - first), columns, k, depth, packed + (p * columns * depth));
            }

            // While the panels pass over a tile of rows, each asks for its share of the next tile.
            var share = (nint)kernel.TileRows * sizeof(float) / panels;
            for (var tile = fromTile; tile < toTile; tile++)
            {
                cancellation.ThrowIfCancellationRequested();
                var count = rows.TileRows(tile);
                var height = kernel.PackedRows(count);
                var a = rows.Tile(tile) + ((nint)k * height);
                var next = (byte*)(tile + 1 < toTile ? rows.Tile(tile + 1) + ((nint)k * kernel.TileRows) : a);
                var to = c + ((nint)tile * kernel.TileRows * stride) + (firstPanel * columns);
                for (var p = 0; p < panels; p++, to += columns, next += share * depth)
                {
                    var valid = Math.Min(columns, weights.Outputs - ((firstPanel + p) * columns));
                    Tile(kernel, height, count, a, packed + (p * columns * depth), depth, to, stride, valid, add || k > 0, next, share);
                }
            }
        }
    }

    // One row: nothing would be gained by a panel that is read once, so the weights are read as they are stored where they can be.
    private static void Row(GemmKernel kernel, float* x, PanelSource weights, int panel, float* c, bool add)
    {
        var columns = kernel.Columns;
        var first = panel * columns;
        var valid = Math.Min(columns, weights.Outputs - first);
        var sums = stackalloc float[32];
        var length = BlockLength(weights.Inputs);
        for (var k = 0; k < weights.Inputs; k += length)
        {
            var depth = Math.Min(length, weights.Inputs - k);
            if (valid < columns || !weights.TryDot(first, k, depth, x + k, sums))
            {
                var packed = AlignedScratch.Panel(depth * columns);
                weights.Pack(first, valid, columns, k, depth, packed);
                kernel.Multiply(1, x + k, packed, depth, sums, columns, add: false);
            }

            for (var j = 0; j < valid; j++)
            {
                c[first + j] = add || k > 0 ? sums[j] + c[first + j] : sums[j];
            }
        }
    }

    // One tile, through a scratch tile where the result has fewer rows or columns.
    private static void Tile(
        GemmKernel kernel, int height, int rows, float* a, float* b, int depth, float* c, nint stride, int valid, bool add, byte* next, nint step)
    {
        if (height == rows && valid == kernel.Columns)
        {
            kernel.Multiply(height, a, b, depth, c, stride, add, next, step);
            return;
        }

        var scratch = stackalloc float[12 * 32];
        kernel.Multiply(height, a, b, depth, scratch, kernel.Columns, add: false, next, step);
        for (var r = 0; r < rows; r++)
        {
            var from = scratch + (r * kernel.Columns);
            var to = c + (r * stride);
            for (var j = 0; j < valid; j++)
            {
                to[j] = add ? from[j] + to[j] : from[j];
            }
        }
    }
}
