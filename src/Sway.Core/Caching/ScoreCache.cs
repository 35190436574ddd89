using System.Runtime.InteropServices;
using Sway.Adapters;
using Sway.Scoring;

namespace Sway.Caching;

/// <summary>
/// Scores of one model, adapter, strength and engine on disk. A record is named by its key, sealed, and appears by a rename: processes
/// that work at once write the same bytes, and one that ends in the middle leaves nothing.
/// </summary>
/// <remarks>
/// The key holds the token ids, not the text: the tokenizer decides nothing that they do not. Thread-safe.
/// </remarks>
internal sealed class ScoreCache
{
    private readonly CacheStore _store;
    private readonly CacheInputs _inputs;
    private readonly string _folder;
    private readonly ScoreOrigin _origin;
    private bool _writable = true;
    private bool _announced;

    private ScoreCache(CacheStore store, CacheInputs inputs, string folder, ScoreOrigin origin)
    {
        _store = store;
        _inputs = inputs;
        _folder = folder;
        _origin = origin;
    }

    /// <summary>Opens the scores of what a session computes. Reads the model's and the adapter's files once; later their digests are known.</summary>
    /// <param name="store">The cache.</param>
    /// <param name="origin">What is computed, for people; the strength is part of the key.</param>
    /// <param name="adapter">The adapter, open; or null.</param>
    /// <param name="adapterName">Which of several adapters it is.</param>
    /// <param name="engine">Everything of the engine that the numbers' bits depend on.</param>
    /// <param name="cancellationToken">Stops between blocks.</param>
    public static ScoreCache Open(
        CacheStore store, ScoreOrigin origin, LoraAdapter? adapter, string? adapterName, string engine, CancellationToken cancellationToken)
    {
        var inputs = new CacheInputs(store.Digests);
        using var key = new ContentKey();
        key.Add("kind", "scores").Add("software", ContentKey.Software).Add("engine", engine);
        inputs.BaseModel(key, origin.Model, cancellationToken);
        key.Add("adapter", adapter is null ? 0 : 1);
        if (adapter is not null)
        {
            key.Add("adapter name", adapterName).Add("strength", origin.Strength);
            inputs.Adapter(key, adapter, cancellationToken);
        }

        string folder = Path.Combine(store.Scores, key.Finish());
        CacheStore.Touch(Path.Combine(folder, ScoreOrigin.FileName));
        return new ScoreCache(store, inputs, folder, origin);
    }

    /// <summary>The scores of a sequence, or null.</summary>
    public SequenceScore? Find(TokenSequence sequence, bool divergence) =>
        SealedRecord.Read(PathOf(sequence, divergence)) is { } payload && ScoreRecords.ReadScore(payload) is { } score
        && score.Base.LogProbs.Length == sequence.Ids.Count - sequence.FirstScored
            ? score
            : null;

    /// <summary>The distribution after a prompt, or null.</summary>
    public NextTokenDistribution? Find(IReadOnlyList<int> prompt, int topK) =>
        SealedRecord.Read(PathOf(prompt, topK)) is { } payload ? ScoreRecords.ReadNextToken(payload) : null;

    /// <summary>Whether what was computed may be stored: the files are still those of the key.</summary>
    /// <remarks>Asked once for each batch, after it was computed.</remarks>
    public bool CanStore()
    {
        _writable = _writable && _inputs.AreUnchanged();
        return _writable;
    }

    /// <summary>Stores the scores of a sequence.</summary>
    public void Store(TokenSequence sequence, bool divergence, SequenceScore score) =>
        Store(PathOf(sequence, divergence), ScoreRecords.Write(score));

    /// <summary>Stores the distribution after a prompt.</summary>
    public void Store(IReadOnlyList<int> prompt, int topK, NextTokenDistribution distribution) =>
        Store(PathOf(prompt, topK), ScoreRecords.Write(distribution));

    private void Store(string path, byte[] payload)
    {
        if (!_announced)
        {
            _announced = true;
            string origin = Path.Combine(_folder, ScoreOrigin.FileName);
            if (ScoreOrigin.Read(_folder) is null)
            {
                _writable = _store.TryWriteRecord(origin, _origin.Write());
            }
            else
            {
                CacheStore.Touch(origin);
            }
        }

        _writable = _writable && _store.TryWriteRecord(path, payload);
    }

    private string PathOf(TokenSequence sequence, bool divergence)
    {
        using var key = new ContentKey();
        key.Add("operation", divergence ? "divergence" : "score").Add("first", sequence.FirstScored);
        return PathOf(key, sequence.Ids);
    }

    private string PathOf(IReadOnlyList<int> prompt, int topK)
    {
        using var key = new ContentKey();
        key.Add("operation", "next-token").Add("top", topK);
        return PathOf(key, prompt);
    }

    private string PathOf(ContentKey key, IReadOnlyList<int> ids)
    {
        int[] tokens = [.. ids];
        key.Add("tokens", MemoryMarshal.AsBytes(tokens.AsSpan()));
        string name = key.Finish();
        return Path.Combine(_folder, name[..2], name[2..]);
    }
}
