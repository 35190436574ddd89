using System.Runtime.InteropServices;

namespace Sway.Tokenization.Models;

/// <summary>Token texts as UTF-8, looked up by bytes without making strings; ids may have holes and may repeat.</summary>
internal sealed class Vocabulary
{
    private byte[] _bytes;
    private int[] _offsets;
    private int[] _ids;
    private uint[] _hashes;
    private int[] _slots;
    private readonly Dictionary<int, int> _sparse = [];
    private int[] _entryOfId = [];
    private int _used;

    public Vocabulary(int expectedCount = 16, int expectedBytes = 256)
    {
        _bytes = new byte[expectedBytes];
        _offsets = new int[expectedCount + 1];
        _ids = new int[expectedCount];
        _hashes = new uint[expectedCount];
        _slots = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, expectedCount * 2))];
    }

    /// <summary>The number of different texts.</summary>
    public int Count { get; private set; }

    public int MaximumId { get; private set; } = -1;

    public static uint Hash(ReadOnlySpan<byte> text)
    {
        var hash = 0x9E3779B97F4A7C15UL ^ (ulong)text.Length;
        while (text.Length >= 8)
        {
            hash = (hash ^ MemoryMarshal.Read<ulong>(text)) * 0xFF51AFD7ED558CCDUL;
            hash ^= hash >> 32;
            text = text[8..];
        }

        ulong tail = 0;
        for (var i = 0; i < text.Length; i++)
        {
            tail |= (ulong)text[i] << (8 * i);
        }

        hash = (hash ^ tail) * 0xC4CEB9FE1A85EC53UL;
        return (uint)(hash ^ (hash >> 32));
    }

    /// <summary>Adds a text; one that is there already gets the new id, as the last of equal JSON keys wins.</summary>
    public void Add(ReadOnlySpan<byte> text, int id)
    {
        var hash = Hash(text);
        MaximumId = Math.Max(MaximumId, id);
        var existing = Find(text, hash);
        if (existing >= 0)
        {
            _ids[existing] = id;
            return;
        }

        if (Count == _ids.Length)
        {
            Grow();
        }

        if (_bytes.Length - _used < text.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_used + text.Length, 2 * _bytes.Length));
        }

        text.CopyTo(_bytes.AsSpan(_used));
        _used += text.Length;
        _offsets[Count + 1] = _used;
        _ids[Count] = id;
        _hashes[Count] = hash;
        Insert(hash, ++Count);
    }

    /// <summary>Builds the way back from ids to texts; to be called once after the last <see cref="Add"/>.</summary>
    public void Seal()
    {
        if (MaximumId < (8L * Count) + 65_536)
        {
            _entryOfId = new int[MaximumId + 1];
            Array.Fill(_entryOfId, -1);
            for (var entry = Count - 1; entry >= 0; entry--)
            {
                _entryOfId[_ids[entry]] = entry;
            }

            return;
        }

        for (var entry = 0; entry < Count; entry++)
        {
            _sparse.TryAdd(_ids[entry], entry);
        }
    }

    public bool TryGetId(ReadOnlySpan<byte> text, out int id)
    {
        var entry = Find(text, Hash(text));
        id = entry >= 0 ? _ids[entry] : -1;
        return entry >= 0;
    }

    public bool TryGetText(int id, out ReadOnlySpan<byte> text)
    {
        var entry = _entryOfId.Length > 0
            ? (uint)id < (uint)_entryOfId.Length ? _entryOfId[id] : -1
            : _sparse.TryGetValue(id, out var found) ? found : -1;
        text = entry >= 0 ? EntryText(entry) : default;
        return entry >= 0;
    }

    public ReadOnlySpan<byte> EntryText(int entry) => _bytes.AsSpan(_offsets[entry], _offsets[entry + 1] - _offsets[entry]);

    public int EntryId(int entry) => _ids[entry];

    private int Find(ReadOnlySpan<byte> text, uint hash)
    {
        var mask = _slots.Length - 1;
        for (var slot = (int)hash & mask; _slots[slot] != 0; slot = (slot + 1) & mask)
        {
            var entry = _slots[slot] - 1;
            if (_hashes[entry] == hash && EntryText(entry).SequenceEqual(text))
            {
                return entry;
            }
        }

        return -1;
    }

    private void Insert(uint hash, int value)
    {
        var mask = _slots.Length - 1;
        var slot = (int)hash & mask;
        while (_slots[slot] != 0)
        {
            slot = (slot + 1) & mask;
        }

        _slots[slot] = value;
    }

    private void Grow()
    {
        var size = Math.Max(16, 2 * _ids.Length);
        Array.Resize(ref _ids, size);
        Array.Resize(ref _hashes, size);
        Array.Resize(ref _offsets, size + 1);
        if (_slots.Length < 2 * size)
        {
            _slots = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)(2 * size))];
            for (var entry = 0; entry < Count; entry++)
            {
                Insert(_hashes[entry], entry + 1);
            }
        }
    }
}
