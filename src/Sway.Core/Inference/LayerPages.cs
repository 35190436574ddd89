using Sway.IO;
using Sway.Tensors;

namespace Sway.Inference;

/// <summary>
/// Where each layer's weights lie in the mapped files. Once a wave of many rows has passed a layer, the layer's pages need not stay in
/// memory: they come back from the system's cache of the file in a small part of the time that the layer takes.
/// </summary>
internal sealed unsafe class LayerPages
{
    // Norms and biases, which an engine copies, may lie between the matrices.
    private const long Gap = 1 << 16;

    private readonly Dictionary<int, List<(nint Start, nint End)>> _ranges = [];

    /// <summary>Notes that a layer uses a tensor.</summary>
    public void Add(int layer, MappedTensor tensor)
    {
        if (!_ranges.TryGetValue(layer, out var ranges))
        {
            _ranges[layer] = ranges = [];
        }

        var (start, end) = ((nint)tensor.Data, (nint)(tensor.Data + tensor.Info.ByteLength));
        for (var i = ranges.Count - 1; i >= 0; i--)
        {
            if (start <= ranges[i].End + Gap && ranges[i].Start <= end + Gap)
            {
                (start, end) = (nint.Min(start, ranges[i].Start), nint.Max(end, ranges[i].End));
                ranges.RemoveAt(i);
            }
        }

        ranges.Add((start, end));
    }

    /// <summary>Has a layer's pages read in the background where they are not in memory.</summary>
    public void Prepare(int layer)
    {
        foreach (var (start, end) in Of(layer))
        {
            MemoryPages.Prepare((byte*)start, end - start);
        }
    }

    /// <summary>Maps a layer's pages at once, before they are read.</summary>
    public void Map(int layer)
    {
        foreach (var (start, end) in Of(layer))
        {
            MemoryPages.Map((byte*)start, end - start);
        }
    }

    /// <summary>Gives the memory of a layer's pages back until they are next read.</summary>
    public void Forget(int layer)
    {
        foreach (var (start, end) in Of(layer))
        {
            MemoryPages.Forget((byte*)start, end - start);
        }
    }

    /// <summary>Bytes of a layer's pages.</summary>
    public long Bytes(int layer) => Of(layer).Sum(range => (long)(range.End - range.Start));

    private IEnumerable<(nint Start, nint End)> Of(int layer) => _ranges.TryGetValue(layer, out var ranges) ? ranges : [];
}
