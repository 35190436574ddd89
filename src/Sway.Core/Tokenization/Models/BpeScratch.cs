namespace Sway.Tokenization.Models;

/// <summary>The symbols of the word in work, as a linked list over arrays, and the queue of merges for long words.</summary>
internal sealed class BpeScratch
{
    private readonly PriorityQueue<(int Position, int Merged), ulong> _queue = new();
    private int[] _previous = new int[64];
    private int[] _next = new int[64];
    private ulong[] _ranks = new ulong[64];

    public int[] Ids { get; private set; } = new int[64];

    public int[] Lengths { get; private set; } = new int[64];

    public int Count { get; private set; }

    /// <summary>Pairs of id and length, filled by <see cref="Collect"/>.</summary>
    public int[] Result { get; private set; } = new int[128];

    /// <summary>Bytes for looking up a character with its prefix or suffix, or a word in the byte alphabet.</summary>
    public byte[] Buffer { get; set; } = new byte[256];

    public void Clear() => Count = 0;

    public void Add(int id, int length)
    {
        if (Count == Ids.Length)
        {
            var size = 2 * Count;
            var (ids, lengths) = (Ids, Lengths);
            Array.Resize(ref ids, size);
            Array.Resize(ref lengths, size);
            (Ids, Lengths) = (ids, lengths);
            _previous = new int[size];
            _next = new int[size];
            _ranks = new ulong[size];
            Result = new int[2 * size];
        }

        Ids[Count] = id;
        Lengths[Count++] = length;
    }

    /// <summary>Merges as the library does: always the lowest rank, the leftmost of equals.</summary>
    public void Merge(MergeTable merges)
    {
        if (Count <= 48)
        {
            MergeShort(merges);
        }
        else
        {
            MergeLong(merges);
        }
    }

    /// <summary>The remaining symbols as pairs of id and length.</summary>
    public ReadOnlySpan<int> Collect()
    {
        var used = 0;
        for (var i = 0; i < Count; i++)
        {
            if (Lengths[i] != 0)
            {
                Result[used++] = Ids[i];
                Result[used++] = Lengths[i];
            }
        }

        return Result.AsSpan(0, used);
    }

    /// <summary>For common words a scan of the ranks beats a queue.</summary>
    private void MergeShort(MergeTable merges)
    {
        var (ids, lengths, ranks) = (Ids, Lengths, _ranks);
        for (var i = 0; i + 1 < Count; i++)
        {
            ranks[i] = merges.Find(ids[i], ids[i + 1]);
        }

        while (Count > 1)
        {
            var best = -1;
            var bestRank = ulong.MaxValue;
            for (var i = 0; i + 1 < Count; i++)
            {
                if (ranks[i] >> 32 < bestRank)
                {
                    (best, bestRank) = (i, ranks[i] >> 32);
                }
            }

            if (best < 0 || bestRank == uint.MaxValue)
            {
                return;
            }

            ids[best] = (int)(uint)ranks[best];
            lengths[best] += lengths[best + 1];
            var moved = Count - best - 2;
            Array.Copy(ids, best + 2, ids, best + 1, moved);
            Array.Copy(lengths, best + 2, lengths, best + 1, moved);
            Array.Copy(ranks, best + 2, ranks, best + 1, moved);
            Count--;
            if (best > 0)
            {
                ranks[best - 1] = merges.Find(ids[best - 1], ids[best]);
            }

            if (best + 1 < Count)
            {
                ranks[best] = merges.Find(ids[best], ids[best + 1]);
            }
        }
    }

    /// <summary>A queue over a linked list: n log n, whatever the word.</summary>
    private void MergeLong(MergeTable merges)
    {
        _queue.Clear();
        for (var i = 0; i < Count; i++)
        {
            _previous[i] = i - 1;
            _next[i] = i + 1 < Count ? i + 1 : -1;
            Enqueue(merges, i);
        }

        while (_queue.TryDequeue(out var top, out _))
        {
            var position = top.Position;
            var right = Lengths[position] == 0 ? -1 : _next[position];
            if (right < 0 || (int)(uint)merges.Find(Ids[position], Ids[right]) != top.Merged
                || merges.Find(Ids[position], Ids[right]) == ulong.MaxValue)
            {
                continue;
            }

            Ids[position] = top.Merged;
            Lengths[position] += Lengths[right];
            Lengths[right] = 0;
            _next[position] = _next[right];
            if (_next[position] >= 0)
            {
                _previous[_next[position]] = position;
            }

            if (_previous[position] >= 0)
            {
                Enqueue(merges, _previous[position]);
            }

            Enqueue(merges, position);
        }
    }

    private void Enqueue(MergeTable merges, int position)
    {
        if (_next[position] < 0)
        {
            return;
        }

        var found = merges.Find(Ids[position], Ids[_next[position]]);
        if (found != ulong.MaxValue)
        {
            _queue.Enqueue((position, (int)(uint)found), (found & 0xFFFFFFFF00000000) | (uint)position);
        }
    }
}
