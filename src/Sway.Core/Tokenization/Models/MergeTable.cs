using System.Numerics;

namespace Sway.Tokenization.Models;

/// <summary>The merges of a BPE model: a pair of ids to its rank and the id of the merged token.</summary>
internal sealed class MergeTable
{
    private readonly ulong[] _keys;
    private readonly ulong[] _values;
    private readonly int _shift;

    public MergeTable(int expectedCount)
    {
        var size = BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, expectedCount * 2L));
        _keys = new ulong[size];
        _values = new ulong[size];
        _shift = 64 - BitOperations.Log2(size);
    }

    /// <summary>Sets a pair; the last rank of a pair given twice counts.</summary>
    public void Set(int left, int right, int rank, int merged)
    {
        var key = Key(left, right);
        var slot = Slot(key);
        while (_keys[slot] != 0 && _keys[slot] != key)
        {
            slot = (slot + 1) & (_keys.Length - 1);
        }

        _keys[slot] = key;
        _values[slot] = ((ulong)(uint)rank << 32) | (uint)merged;
    }

    /// <summary>Rank in the upper and merged id in the lower half; all bits set when the pair does not merge.</summary>
    public ulong Find(int left, int right)
    {
        var key = Key(left, right);
        var mask = _keys.Length - 1;
        for (var slot = Slot(key); _keys[slot] != 0; slot = (slot + 1) & mask)
        {
            if (_keys[slot] == key)
            {
                return _values[slot];
            }
        }

        return ulong.MaxValue;
    }

    // Ids are stored plus one, so that zero means a free slot.
    private static ulong Key(int left, int right) => ((ulong)(uint)(left + 1) << 32) | (uint)(right + 1);

    private int Slot(ulong key) => (int)(key * 0x9E3779B97F4A7C15UL >> _shift);
}
