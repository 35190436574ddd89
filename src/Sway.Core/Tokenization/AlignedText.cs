using Sway.Tokenization.Unicode;

namespace Sway.Tokenization;

/// <summary>
/// UTF-8 bytes with, for each byte, the bytes of the original text it came from. While nothing was changed the alignment is
/// implicit (each byte belongs to its whole character), so plain pipelines never fill the arrays.
/// </summary>
internal sealed class AlignedText
{
    private byte[] _bytes = [];
    private int[] _starts = [];
    private int[] _ends = [];
    private bool _aligned;

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, Length);

    public void SetIdentity(string text)
    {
        _aligned = false;
        Length = 0;
        Reserve(System.Text.Encoding.UTF8.GetMaxByteCount(text.Length));
        Length = System.Text.Encoding.UTF8.GetBytes(text, _bytes);
    }

    /// <summary>Empties the text; what follows is appended with explicit alignment.</summary>
    public void Clear()
    {
        _aligned = true;
        Length = 0;
    }

    public int OriginStart(int index)
    {
        if (_aligned)
        {
            return _starts[index];
        }

        while (index > 0 && (_bytes[index] & 0xC0) == 0x80)
        {
            index--;
        }

        return index;
    }

    public int OriginEnd(int index)
    {
        if (_aligned)
        {
            return _ends[index];
        }

        index++;
        while (index < Length && (_bytes[index] & 0xC0) == 0x80)
        {
            index++;
        }

        return index;
    }

    /// <summary>Appends one byte-wise copy of a range of another text with its alignment.</summary>
    public void AppendRange(AlignedText source, int start, int end)
    {
        var count = end - start;
        ReserveAligned(Length + count);
        source._bytes.AsSpan(start, count).CopyTo(_bytes.AsSpan(Length));
        if (source._aligned)
        {
            source._starts.AsSpan(start, count).CopyTo(_starts.AsSpan(Length));
            source._ends.AsSpan(start, count).CopyTo(_ends.AsSpan(Length));
        }
        else
        {
            for (var i = start; i < end;)
            {
                var width = Utf8Text.LengthOf(source._bytes[i]);
                _starts.AsSpan(Length + i - start, width).Fill(i);
                _ends.AsSpan(Length + i - start, width).Fill(i + width);
                i += width;
            }
        }

        Length += count;
    }

    public void Append(ReadOnlySpan<byte> bytes, int originStart, int originEnd)
    {
        ReserveAligned(Length + bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(Length));
        _starts.AsSpan(Length, bytes.Length).Fill(originStart);
        _ends.AsSpan(Length, bytes.Length).Fill(originEnd);
        Length += bytes.Length;
    }

    public void Append(int codePoint, int originStart, int originEnd)
    {
        Span<byte> buffer = stackalloc byte[4];
        Append(buffer[..Utf8Text.Encode(codePoint, buffer)], originStart, originEnd);
    }

    /// <summary>
    /// Appends the edited form of a range of <paramref name="source"/>: a replaced code point keeps the origin of the one it
    /// replaces, a new one takes that of the code point before it.
    /// </summary>
    public void AppendEdited(AlignedText source, int start, int end, IReadOnlyList<Edit> edits, int initiallyRemoved)
    {
        var text = source.Bytes;
        var at = start;
        Skip(text, ref at, end, initiallyRemoved);
        for (var i = 0; i < edits.Count; i++)
        {
            var edit = edits[i];
            var origin = edit.Change > 0 ? at - 1 : Math.Min(at, end - 1);
            var (from, to) = origin < start ? (0, 0) : (source.OriginStart(origin), source.OriginEnd(origin));
            if (edit.Change <= 0)
            {
                Skip(text, ref at, end, 1 - edit.Change);
            }

            Append(edit.CodePoint, from, to);
        }
    }

    private static void Skip(ReadOnlySpan<byte> text, ref int at, int end, int count)
    {
        for (; count > 0 && at < end; count--)
        {
            at += Utf8Text.LengthOf(text[at]);
        }
    }

    private void ReserveAligned(int length)
    {
        Reserve(length);
        if (_starts.Length < length)
        {
            var size = Math.Max(length, 2 * _starts.Length);
            Array.Resize(ref _starts, size);
            Array.Resize(ref _ends, size);
        }
    }

    private void Reserve(int length)
    {
        if (_bytes.Length < length)
        {
            Array.Resize(ref _bytes, Math.Max(length, Math.Max(256, 2 * _bytes.Length)));
        }
    }
}
