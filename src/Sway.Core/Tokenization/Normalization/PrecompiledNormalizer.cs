using System.Buffers.Binary;
using System.Globalization;
using Sway.Tokenization.Unicode;

namespace Sway.Tokenization.Normalization;

/// <summary>
/// SentencePiece's compiled character map: a double-array trie (darts-clone) from prefixes to offsets into a block of
/// zero-terminated replacements. Applied by grapheme clusters, as the library does.
/// </summary>
internal sealed class PrecompiledNormalizer : INormalizer
{
    private readonly uint[] _trie;
    private readonly byte[] _replacements;

    public PrecompiledNormalizer(byte[] map)
    {
        if (map.Length < 4 || BinaryPrimitives.ReadUInt32LittleEndian(map) is var size && (size % 4 != 0 || size > map.Length - 4))
        {
            throw new TokenizationException("The precompiled_charsmap is shorter than it says.");
        }

        var trieBytes = (int)BinaryPrimitives.ReadUInt32LittleEndian(map);
        _trie = new uint[trieBytes / 4];
        for (var i = 0; i < _trie.Length; i++)
        {
            _trie[i] = BinaryPrimitives.ReadUInt32LittleEndian(map.AsSpan(4 + (4 * i)));
        }

        _replacements = map[(4 + trieBytes)..];
    }

    public void Normalize(AlignedText source, AlignedText target)
    {
        var edits = new List<Edit>(source.Length);
        var text = source.Bytes;
        var characters = System.Text.Encoding.UTF8.GetString(text);
        var at = 0;
        for (var index = 0; index < characters.Length;)
        {
            var count = StringInfo.GetNextTextElementLength(characters.AsSpan(index));
            var bytes = System.Text.Encoding.UTF8.GetByteCount(characters.AsSpan(index, count));
            AppendGrapheme(text.Slice(at, bytes), edits);
            index += count;
            at += bytes;
        }

        target.AppendEdited(source, 0, source.Length, edits, 0);
    }

    private void AppendGrapheme(ReadOnlySpan<byte> grapheme, List<Edit> edits)
    {
        if (grapheme.Length < 6 && TryTransform(grapheme, out var whole))
        {
            Replace(grapheme, whole, edits);
            return;
        }

        for (var at = 0; at < grapheme.Length;)
        {
            var codePoint = Utf8Text.Decode(grapheme, at, out var length);
            if (TryTransform(grapheme.Slice(at, length), out var replacement))
            {
                Replace(grapheme.Slice(at, length), replacement, edits);
            }
            else
            {
                edits.Add(new Edit(codePoint, 0));
            }

            at += length;
        }
    }

    private static void Replace(ReadOnlySpan<byte> old, ReadOnlySpan<byte> replacement, List<Edit> edits)
    {
        var difference = Utf8Text.CountCodePoints(replacement) - Utf8Text.CountCodePoints(old);
        for (var at = 0; at < replacement.Length;)
        {
            edits.Add(new Edit(Utf8Text.Decode(replacement, at, out var length), 0));
            at += length;
        }

        for (var i = 0; i < difference; i++)
        {
            edits[^(i + 1)] = edits[^(i + 1)] with { Change = 1 };
        }

        if (difference < 0 && edits.Count > 0)
        {
            edits[^1] = edits[^1] with { Change = edits[^1].Change + difference };
        }
    }

    /// <summary>The replacement of the shortest prefix that the trie knows, as the library takes the first result.</summary>
    private bool TryTransform(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> replacement)
    {
        replacement = default;
        if (_trie.Length == 0)
        {
            return false;
        }

        var node = Offset(_trie[0]);
        foreach (var b in text)
        {
            if (b == 0)
            {
                return false;
            }

            node ^= b;
            if (node >= (uint)_trie.Length)
            {
                return false;
            }

            var unit = _trie[node];
            if ((unit & 0x800000FF) != b)
            {
                return false;
            }

            node ^= Offset(unit);
            if ((unit >> 8 & 1) != 0)
            {
                return node < (uint)_trie.Length && ReadReplacement((int)(_trie[node] & 0x7FFFFFFF), out replacement);
            }
        }

        return false;
    }

    private bool ReadReplacement(int start, out ReadOnlySpan<byte> replacement)
    {
        replacement = default;
        if (start < 0 || start >= _replacements.Length)
        {
            return false;
        }

        var rest = _replacements.AsSpan(start);
        var end = rest.IndexOf((byte)0);
        replacement = end < 0 ? rest : rest[..end];
        return System.Text.Unicode.Utf8.IsValid(replacement);
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & 512) >> 6);
}
