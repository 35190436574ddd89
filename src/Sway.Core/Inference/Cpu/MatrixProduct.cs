namespace Sway.Inference.Cpu;

/// <summary>Products of packed rows with weight panels.</summary>
/// <remarks>
/// A sum over k is made of the blocks of <see cref="BlockLength"/>, each one chain of fused multiply-adds from zero, added in
/// ascending order: the same bits for any number of rows, columns and threads, and for every kernel.
/// </remarks>
internal static unsafe class MatrixProduct
{
    private const int LongestBlock = 768;

    // So many packed weights stay in the second-level cache while all rows pass by.
    private const int WeightsAtOnce = 144 << 10;

    // Of a tile of rows so many columns are computed at once at least, or fetching the rows would take longer than multiplying them.
    private const int LeastColumns = 64, MostColumns = 128;

    // A unit of fewer rows would pay more for its panels than it gains by another thread.
    private const int RowsOfUnit = 480;

    // Of one row: still short beside the time in which another thread would wait for it.
    private const int PartsOfUnit = 16;

    /// <summary>Length of the blocks of k (the last may be shorter) for so many inputs.</summary>
    /// <remarks>Blocks begin at multiples of 128 where that divides the inputs, of 64 otherwise, so that no group of quantized values is divided.</remarks>
    public static int BlockLength(int inputs)
    {
        var blocks = Math.Max(1, (inputs + LongestBlock - 1) / LongestBlock);
        var unit = inputs % 128 == 0 ? 128 : 64;
        return (((inputs + blocks - 1) / blocks) + unit - 1) / unit * unit;
    }

    /// <summary>
    /// How many inputs' weights are packed at once: all, where the cache holds them for enough columns, so that every result is finished
    /// while it is in cache; else one block of k.
    /// </summary>
    public static int PackedInputs(int inputs) => inputs * LeastColumns <= WeightsAtOnce ? inputs : BlockLength(inputs);

    /// <summary>c = rows times weights, or c += that; then what updates add to some of the rows.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="rows">(rows, inputs).</param>
    /// <param name="weights">(outputs, inputs).</param>
    /// <param name="c">The result of row 0.</param>
    /// <param name="stride">Distance of result rows in floats.</param>
    /// <param name="add">Whether to add to the result instead of setting it.</param>
    /// <param name="range">The rows to compute, or null for all.</param>
    /// <param name="updates">Products that are added while the result is in registers or in cache.</param>
    public static void Run(
        WorkerPool workers, PackedRows rows, PanelSource weights, float* c, nint stride, bool add, RowRange? range = null,
        ProductUpdate[]? updates = null)
    {
        if (rows.Depth != weights.Inputs)
        {
            throw new ArgumentException($"{rows.Depth} inputs for a matrix of {weights.Inputs}.", nameof(rows));
        }

        var kernel = GemmKernel.Best;
        var wanted = range ?? new RowRange(0, rows.Rows);
        updates ??= [];
        var cost = (long)wanted.Count * rows.Depth * weights.Outputs;
        if (rows.Rows == 1)
        {
            RunRow(workers, kernel, rows, weights, c, add, cost);
            foreach (var update in updates)
            {
                Add(workers, update, c + update.FirstOutput, stride);
            }

            return;
        }

        // A unit is some panels times all rows, or a part of them; every thread gets as many units of the same size.
        var columns = ColumnsFor(weights.Outputs);
        var panels = (weights.Outputs + columns - 1) / columns;
        var (fromTile, toTile) = (wanted.First / kernel.TileRows, (wanted.End + kernel.TileRows - 1) / kernel.TileRows);
        var largest = (PackedInputs(rows.Depth) > LongestBlock ? LeastColumns : MostColumns) / kernel.Columns;
        var groups = Math.Min(panels, workers.Threads * ((panels + (largest * workers.Threads) - 1) / (largest * workers.Threads)));
        var chunks = workers.Threads == 1 ? 1 : Math.Clamp(wanted.Count / RowsOfUnit, 1, ((4 * workers.Threads) + groups - 1) / groups);
        workers.For(groups * chunks, cost, unit =>
        {
            var (chunk, group) = (unit / groups, unit % groups);
            var next = unit + workers.Threads;
            var product = new ProductUnit(kernel, columns, rows, weights, wanted, c, stride, add, updates, workers.Cancellation);
            product.Run(
                (fromTile + Share(toTile - fromTile, chunk, chunks))..(fromTile + Share(toTile - fromTile, chunk + 1, chunks)),
                Share(panels, group, groups)..Share(panels, group + 1, groups),
                next < groups * chunks ? Share(panels, next % groups, groups)..Share(panels, (next % groups) + 1, groups) : 0..0);
        });
    }

    /// <summary>What an update adds to its rows of a finished result.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="update">The update.</param>
    /// <param name="c">Where row 0 of the result has what the update's output 0 is added to.</param>
    /// <param name="stride">Distance of result rows in floats.</param>
    public static void Add(WorkerPool workers, ProductUpdate update, float* c, nint stride)
    {
        var kernel = GemmKernel.Best;
        ProductUpdate[] updates = [update with { FirstOutput = 0 }];
        var columns = ColumnsFor(update.Weights.Outputs);
        var panels = (update.Weights.Outputs + columns - 1) / columns;
        var units = Math.Min(panels, 4 * workers.Threads);
        workers.For(units, (long)update.Range.Count * update.Rows.Depth * update.Weights.Outputs, unit =>
        {
            var own = Share(panels, unit, units)..Share(panels, unit + 1, units);
            var packed = AlignedScratch.Panel(UpdateUnit.Floats(updates, columns, own.End.Value - own.Start.Value));
            var added = new UpdateUnit(kernel, columns, own, packed, updates, c, stride);
            added.Pack();
            for (var tile = update.FirstTile; tile < update.FirstTile + update.Rows.Tiles; tile++)
            {
                workers.Cancellation.ThrowIfCancellationRequested();
                added.Apply(tile, tails: false);
            }
        });
    }

    /// <summary>Columns of the panels for so many outputs: few take panels of half the width, so that less of what is computed is thrown away.</summary>
    public static int ColumnsFor(int outputs) =>
        outputs <= GemmKernel.Best.Columns / 2 ? GemmKernel.Best.Columns / 2 : GemmKernel.Best.Columns;

    /// <summary>Where a part of a number of things begins, all parts being as long but for one thing.</summary>
    public static int Share(int count, int part, int parts) => (int)((long)count * part / parts);

    private static void RunRow(WorkerPool workers, GemmKernel kernel, PackedRows row, PanelSource weights, float* c, bool add, long cost)
    {
        // Neighbours, because what a thread computes next it asks for meanwhile.
        var parts = (weights.Outputs + weights.DotOutputs - 1) / weights.DotOutputs;
        var units = Math.Min(parts, workers.Threads * Math.Max(1, parts / (workers.Threads * PartsOfUnit)));
        workers.For(units, cost, unit =>
        {
            for (var part = Share(parts, unit, units); part < Share(parts, unit + 1, units); part++)
            {
                Row(kernel, row.Tile(0), weights, part, c, add);
            }
        });
    }

    // One row: nothing would be gained by a panel that is read once, so the weights are read as they are stored where they can be.
    private static void Row(GemmKernel kernel, float* x, PanelSource weights, int part, float* c, bool add)
    {
        var width = weights.DotOutputs;
        var first = part * width;
        var valid = Math.Min(width, weights.Outputs - first);
        var sums = stackalloc float[PanelSource.MostDotOutputs];
        var length = BlockLength(weights.Inputs);
        for (var k = 0; k < weights.Inputs; k += length)
        {
            var depth = Math.Min(length, weights.Inputs - k);
            if (valid < width || !weights.TryDot(first, k, depth, x + k, sums))
            {
                Pack(kernel, x, weights, first, valid, k, depth, sums);
            }

            for (var j = 0; j < valid; j++)
            {
                c[first + j] = add || k > 0 ? sums[j] + c[first + j] : sums[j];
            }
        }
    }

    private static void Pack(GemmKernel kernel, float* x, PanelSource weights, int first, int valid, int k, int depth, float* sums)
    {
        var packed = AlignedScratch.Panel(depth * kernel.Columns);
        for (var j = 0; j < valid; j += kernel.Columns)
        {
            weights.Pack(first + j, Math.Min(kernel.Columns, valid - j), kernel.Columns, k, depth, packed);
            kernel.Multiply(1, x + k, packed, depth, sums + j, kernel.Columns, add: false);
        }
    }
}
