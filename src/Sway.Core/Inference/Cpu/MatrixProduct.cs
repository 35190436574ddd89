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
        workers.For(panels, (long)rows.Rows * rows.Depth * weights.Outputs, panel => Panel(kernel, rows, weights, panel, c, stride, add));
    }

    private static void Panel(GemmKernel kernel, PackedRows rows, PanelSource weights, int panel, float* c, nint stride, bool add)
    {
        var columns = kernel.Columns;
        var first = panel * columns;
        var valid = Math.Min(columns, weights.Outputs - first);
        var packed = AlignedScratch.Panel(DepthBlock * columns);
        for (var k = 0; k < weights.Inputs; k += DepthBlock)
        {
            var depth = Math.Min(DepthBlock, weights.Inputs - k);
            weights.Pack(first, valid, columns, k, depth, packed);
            for (var tile = 0; tile < rows.Tiles; tile++)
            {
                var count = rows.TileRows(tile);
                var height = kernel.PackedRows(count);
                var a = rows.Tile(tile) + ((nint)k * height);
                var to = c + ((nint)tile * kernel.TileRows * stride) + first;
                Tile(kernel, height, count, a, packed, depth, to, stride, valid, add || k > 0);
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
