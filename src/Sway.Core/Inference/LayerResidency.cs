namespace Sway.Inference;

/// <summary>
/// Decides after which passes the pages of weights leave the memory. To map them again takes as long as a few tens of rows spend on
/// them, so the fewer rows a pass has, the fewer pages are worth giving back:
/// <list type="bullet">
/// <item>none in passes of few rows, such as those of generation;</item>
/// <item>then the first layers', as many as make room for what the process needs besides weights and activations (the runtime, its
/// compiled code and heap), so that all together stays within the size of the files and the activations;</item>
/// <item>all layers' in large ones, which need them anew but seldom.</item>
/// </list>
/// </summary>
internal sealed class LayerResidency
{
    private const long Overhead = 96L << 20;

    private const int SomeRows = 256, ManyRows = 1024;

    private readonly LayerPages _pages;
    private readonly long[] _rows;
    private readonly long _tableRows;

    /// <param name="pages">Where the weights of all layers lie.</param>
    /// <param name="rowsForAll">For each layer how many rows it takes to need all of its weights: one, or several where a row takes some experts.</param>
    /// <param name="scarce">Whether what is given back may have to be read from the disk again.</param>
    /// <param name="overhead">Bytes to make room for.</param>
    public LayerResidency(LayerPages pages, IReadOnlyList<int> rowsForAll, bool scarce, long overhead = Overhead)
    {
        _pages = pages;
        _rows = new long[rowsForAll.Count];
        var wanted = scarce ? 0 : overhead;
        for (var layer = 0; layer < _rows.Length; layer++)
        {
            _rows[layer] = scarce ? ManyRows : (wanted > 0 ? SomeRows : ManyRows) * (long)rowsForAll[layer];
            wanted -= _pages.Bytes(layer);
        }

        _tableRows = wanted > 0 ? SomeRows : ManyRows;
    }

    /// <summary>For the layers of a decoder, whose tensors have all been asked for.</summary>
    public static LayerResidency Of(WeightStore store, IEnumerable<LayerSpec> layers) =>
        new(store.Pages, [.. layers.Select(layer => layer.FeedForward is ExpertsSpec experts ? experts.Rule.Experts / experts.Rule.Top : 1)], store.IsScarce);

    /// <summary>The rows of the token table have been read.</summary>
    /// <param name="rows">Rows of the pass, over all views.</param>
    public void Embedded(long rows)
    {
        if (rows >= _tableRows)
        {
            _pages.Forget(-1);
        }
    }

    /// <summary>A layer is about to run.</summary>
    public void Begin(int layer, long rows)
    {
        if (rows >= _rows[layer])
        {
            _pages.Prepare(layer + 1);
            _pages.Map(layer);
        }
    }

    /// <summary>A layer has run.</summary>
    public void End(int layer, long rows)
    {
        if (rows >= _rows[layer])
        {
            _pages.Forget(layer);
        }
    }
}
