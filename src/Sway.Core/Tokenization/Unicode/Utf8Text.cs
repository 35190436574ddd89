using System.Runtime.CompilerServices;

namespace Sway.Tokenization.Unicode;

/// <summary>Code point access to UTF-8 that is known to be well formed (every text here was encoded by this library).</summary>
internal static class Utf8Text
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Decode(ReadOnlySpan<byte> text, int at, out int length)
    {
        int first = text[at];
        if (first < 0x80)
        {
            length = 1;
            return first;
        }

        return DecodeLong(text, at, first, out length);
    }

    public static int DecodeBefore(ReadOnlySpan<byte> text, int end, out int length)
    {
        var start = PreviousStart(text, end);
        return Decode(text, start, out length);
    }

    /// <summary>The start of the character that ends before <paramref name="end"/>.</summary>
    public static int PreviousStart(ReadOnlySpan<byte> text, int end)
    {
        var start = end - 1;
        while (start > 0 && (text[start] & 0xC0) == 0x80)
        {
            start--;
        }

        return start;
    }

    public static int LengthOf(byte first) => first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;

    public static int Encode(int codePoint, Span<byte> target)
    {
        switch (codePoint)
        {
            case < 0x80:
                target[0] = (byte)codePoint;
                return 1;
            case < 0x800:
                target[0] = (byte)(0xC0 | (codePoint >> 6));
                target[1] = (byte)(0x80 | (codePoint & 0x3F));
                return 2;
            case < 0x10000:
                target[0] = (byte)(0xE0 | (codePoint >> 12));
                target[1] = (byte)(0x80 | ((codePoint >> 6) & 0x3F));
                target[2] = (byte)(0x80 | (codePoint & 0x3F));
                return 3;
            default:
                target[0] = (byte)(0xF0 | (codePoint >> 18));
                target[1] = (byte)(0x80 | ((codePoint >> 12) & 0x3F));
                target[2] = (byte)(0x80 | ((codePoint >> 6) & 0x3F));
                target[3] = (byte)(0x80 | (codePoint & 0x3F));
                return 4;
        }
    }

    public static int CountCodePoints(ReadOnlySpan<byte> text)
    {
        var count = 0;
        foreach (var b in text)
        {
            count += (b & 0xC0) == 0x80 ? 0 : 1;
        }

        return count;
    }

    private static int DecodeLong(ReadOnlySpan<byte> text, int at, int first, out int length)
    {
        if (first < 0xE0)
        {
            length = 2;
            return ((first & 0x1F) << 6) | (text[at + 1] & 0x3F);
        }

        if (first < 0xF0)
        {
            length = 3;
            return ((first & 0x0F) << 12) | ((text[at + 1] & 0x3F) << 6) | (text[at + 2] & 0x3F);
        }

        length = 4;
        return ((first & 0x07) << 18) | ((text[at + 1] & 0x3F) << 12) | ((text[at + 2] & 0x3F) << 6) | (text[at + 3] & 0x3F);
    }
}
