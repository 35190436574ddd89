namespace Sway.Inference.Cpu;

/// <summary>Products of packed rows with weight panels.</summary>
/// <remarks>
/// A sum over k is made of blocks of <see cref="DepthBlock"/>, each one chain of fused multiply-adds from zero, added in
/// ascending order: the same bits for any number of rows, columns and threads, and for every kernel.
/// </remarks>
internal static unsafe class MatrixProduct
{
    /// <summary>Length of a block of k; its boundaries are fixed.</summary>
    public const int DepthBlock = 256;

    // 528 rows of a block of k are 528 KB; a multiple of every kernel's tile.
    private const int ChunkRows = 528;

    private const int PanelsAtOnce = 4;

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

        // A unit is some rows, so that a block of them stays in the second-level cache, times some panels that run over that block.
        var chunks = Math.Max(1, (rows.Rows + ChunkRows - 1) / ChunkRows);
        var group = Math.Clamp(panels * chunks / (4 * workers.Threads), 1, PanelsAtOnce);
        var groups = (panels + group - 1) / group;
        workers.For(groups * chunks, cost, unit =>
        {
            var (chunk, first) = (unit / groups, unit % groups * group);
            var from = (int)((long)rows.Tiles * chunk / chunks);
            var to = (int)((long)rows.Tiles * (chunk + 1) / chunks);
            Chunk(kernel, rows, from, to, weights, first, Math.Min(group, panels - first), c, stride, add, workers.Cancellation);
        });
    }

    private static void Chunk(
        GemmKernel kernel, PackedRows rows, int fromTile, int toTile, PanelSource weights, int firstPanel, int panels, float* c, nint stride,
        bool add, CancellationToken cancellation)
    {
        var columns = kernel.Columns;
        var packed = AlignedScratch.Panel(DepthBlock * columns);
        for (var k = 0; k < weights.Inputs; k += DepthBlock)
        {
            var depth = Math.Min(DepthBlock, weights.Inputs - k);
            for (var panel = firstPanel; panel < firstPanel + panels; panel++)
            {
                var first = panel * columns;
                var valid = Math.Min(columns, weights.Outputs - first);
                cancellation.ThrowIfCancellationRequested();
                weights.Pack(first, valid, columns, k, depth, packed);
                var (nextPanel, nextK) = panel + 1 < firstPanel + panels ? (panel + 1, k) : (firstPanel, k + DepthBlock);
                var (nextValid, nextDepth) = (Math.Min(columns, weights.Outputs - (nextPanel * columns)), Math.Min(DepthBlock, weights.Inputs - nextK));
                for (var tile = fromTile; tile < toTile; tile++)
                {
                    if (nextDepth > 0)
                    {
                        weights.Fetch(nextPanel * columns, nextValid, nextK, nextDepth, tile - fromTile, toTile - fromTile);
                    }

                    var count = rows.TileRows(tile);
                    var height = kernel.PackedRows(count);
                    var a = rows.Tile(tile) + ((nint)k * height);
                    var to = c + ((nint)tile * kernel.TileRows * stride) + first;
                    Tile(kernel, height, count, a, packed, depth, to, stride, valid, add || k > 0);
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
        for (var k = 0; k < weights.Inputs; k += DepthBlock)
        {
            var depth = Math.Min(DepthBlock, weights.Inputs - k);
            if (valid < columns || !weights.TryDot(first, k, depth, x + k, sums))
            {
                var packed = AlignedScratch.Panel(DepthBlock * columns);
                weights.Pack(first, valid, columns, k, depth, packed);
                kernel.Multiply(1, x + k, packed, depth, sums, columns, add: false);
            }

            for (var j = 0; j < valid; j++)
            {
                c[first + j] = add || k > 0 ? sums[j] + c[first + j] : sums[j];
            }
        }
    }

    /// <summary>One tile, through a scratch tile where the result has fewer rows or columns.</summary>
    public static void Tile(
        GemmKernel kernel, int height, int rows, float* a, float* b, int depth, float* c, nint stride, int valid, bool add)
    {
        if (height == rows && valid == kernel.Columns)
        {
            kernel.Multiply(height, a, b, depth, c, stride, add);
            return;
        }

        var scratch = stackalloc float[12 * 32];
        kernel.Multiply(height, a, b, depth, scratch, kernel.Columns, add: false);
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
