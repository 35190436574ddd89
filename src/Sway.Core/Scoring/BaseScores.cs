using System.Runtime.InteropServices;

namespace Sway.Scoring;

/// <summary>
/// Scores of the base view that a session computed last. With another adapter on the same items only the adapted view is computed; a
/// view's bits do not depend on what else is in the batch.
/// </summary>
internal sealed class BaseScores
{
    // Token ids and scores that are kept, 16 to 24 MB in all.
    private const int Capacity = 1 << 22;

    private readonly Dictionary<Key, ViewScore> _scores = [];
    private readonly Queue<Key> _order = new();
    private long _kept;

    /// <summary>The scores of a sequence under the base, or null.</summary>
    public ViewScore? Find(TokenSequence sequence) =>
        _scores.GetValueOrDefault(new Key(sequence.FirstScored, sequence.Ids as int[] ?? [.. sequence.Ids]));

    /// <summary>Keeps scores; the oldest are forgotten when there are too many.</summary>
    public void Keep(TokenSequence sequence, ViewScore score)
    {
        // The ids are the caller's, who may change them.
        var key = new Key(sequence.FirstScored, [.. sequence.Ids]);
        if (!_scores.TryAdd(key, score))
        {
            return;
        }

        _order.Enqueue(key);
        _kept += Cost(key, score);
        while (_kept > Capacity)
        {
            var oldest = _order.Dequeue();
            _scores.Remove(oldest, out var forgotten);
            _kept -= Cost(oldest, forgotten!);
        }
    }

    private static long Cost(Key key, ViewScore score) => key.Ids.Length + (2L * score.LogProbs.Length);

    private readonly struct Key(int firstScored, int[] ids) : IEquatable<Key>
    {
        public int[] Ids { get; } = ids;

        private int FirstScored { get; } = firstScored;

        public bool Equals(Key other) => FirstScored == other.FirstScored && Ids.AsSpan().SequenceEqual(other.Ids);

        public override bool Equals(object? obj) => obj is Key other && Equals(other);

        public override int GetHashCode()
        {
            var hash = default(HashCode);
            hash.Add(FirstScored);
            hash.AddBytes(MemoryMarshal.AsBytes(Ids.AsSpan()));
            return hash.ToHashCode();
        }
    }
}
