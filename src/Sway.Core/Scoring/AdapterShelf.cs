using Sway.Adapters;
using Sway.Caching;
using Sway.Inference;

namespace Sway.Scoring;

/// <summary>An adapter that is bound to the model, and its scores on disk.</summary>
/// <param name="Adapter">The bound adapter.</param>
/// <param name="Scores">Its scores, or null without a cache.</param>
internal sealed record ShelvedAdapter(AttachedAdapter Adapter, ScoreCache? Scores);

/// <summary>
/// The adapters that a session used last, so that measuring several in turns reads each once. What falls off is freed when nothing
/// computes with it any more.
/// </summary>
internal sealed class AdapterShelf
{
    private const int Capacity = 8;

    private readonly List<(byte[] Name, ShelvedAdapter Adapter)> _adapters = [];

    /// <summary>
    /// What tells an open adapter from every other one, by the state of its files; null where that does not tell (an adapter made in
    /// memory, a file written just now).
    /// </summary>
    public static byte[]? NameOf(LoraAdapter adapter)
    {
        if (adapter.Files.Count == 0)
        {
            return null;
        }

        var files = new CacheInputs(null);
        var key = new PlainKey();
        files.Adapter(key.Add("path", adapter.Path), adapter, CancellationToken.None);
        return files.AreSettled ? key.ToArray() : null;
    }

    /// <summary>The adapter of that name, or null.</summary>
    public ShelvedAdapter? Find(byte[]? name)
    {
        var index = name is null ? -1 : _adapters.FindIndex(entry => entry.Name.AsSpan().SequenceEqual(name));
        if (index < 0)
        {
            return null;
        }

        var found = _adapters[index];
        _adapters.RemoveAt(index);
        _adapters.Add(found);
        return found.Adapter;
    }

    /// <summary>Keeps an adapter, unless it has no name.</summary>
    public void Keep(byte[]? name, ShelvedAdapter adapter)
    {
        if (name is null)
        {
            return;
        }

        if (_adapters.Count == Capacity)
        {
            _adapters.RemoveAt(0);
        }

        _adapters.Add((name, adapter));
    }
}
