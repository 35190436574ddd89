namespace Sway.Tokenization.Models;

/// <summary>Remembers the tokens of words; belongs to one pooled state, so it needs no lock. It starts anew when it is full.</summary>
internal sealed class WordCache
{
    public const int LongestWord = 64;

    private const int Slots = 1 << 15;
    private const int MaximumWords = Slots / 2;
    private const int ArenaBytes = 1 << 19;
    private const int ArenaTokens = 1 << 17;

    private readonly Entry[] _entries = new Entry[Slots];
    private byte[] _words = new byte[1024];
    private int[] _tokens = new int[1024];
    private int _wordsUsed;
    private int _tokensUsed;
    private int _count;

    /// <summary>Pairs of id and length in bytes, or an empty span when the word is not known (no word has no tokens here).</summary>
    public ReadOnlySpan<int> Find(ReadOnlySpan<byte> word, uint hash)
    {
        for (var slot = hash & (Slots - 1); _entries[slot].TokenCount != 0; slot = (slot + 1) & (Slots - 1))
        {
            ref readonly var entry = ref _entries[slot];
            if (entry.Hash == hash && entry.WordLength == word.Length
                && word.SequenceEqual(_words.AsSpan(entry.WordOffset, entry.WordLength)))
            {
                return _tokens.AsSpan(entry.TokenOffset, entry.TokenCount);
            }
        }

        return default;
    }

    public void Add(ReadOnlySpan<byte> word, uint hash, ReadOnlySpan<int> tokens)
    {
        if (tokens.IsEmpty)
        {
            return;
        }

        if (_count == MaximumWords || _wordsUsed + word.Length > ArenaBytes || _tokensUsed + tokens.Length > ArenaTokens)
        {
            Array.Clear(_entries);
            _count = _wordsUsed = _tokensUsed = 0;
        }

        Reserve(ref _words, _wordsUsed + word.Length);
        Reserve(ref _tokens, _tokensUsed + tokens.Length);
        word.CopyTo(_words.AsSpan(_wordsUsed));
        tokens.CopyTo(_tokens.AsSpan(_tokensUsed));
        var slot = hash & (Slots - 1);
        while (_entries[slot].TokenCount != 0)
        {
            slot = (slot + 1) & (Slots - 1);
        }

        _entries[slot] = new Entry(hash, _wordsUsed, word.Length, _tokensUsed, tokens.Length);
        _wordsUsed += word.Length;
        _tokensUsed += tokens.Length;
        _count++;
    }

    private static void Reserve<T>(ref T[] array, int length)
    {
        if (array.Length < length)
        {
            Array.Resize(ref array, Math.Max(length, 2 * array.Length));
        }
    }

    private readonly record struct Entry(uint Hash, int WordOffset, int WordLength, int TokenOffset, int TokenCount);
}
