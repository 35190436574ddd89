using System.Runtime.CompilerServices;
using Sway.Tokenization.Unicode;

namespace Sway.Tokenization.Patterns;

/// <summary>What the common pre-tokenizer patterns tell apart.</summary>
internal enum ScanClass : byte
{
    Other,
    Letter,
    Number,
    Space,
    LineEnd,
}

/// <summary>The steps that the hand-written scanners share; each returns the end of what it matched.</summary>
internal static class ScannerParts
{
    private static readonly ScanClass[] s_ascii = [.. Enumerable.Range(0, 128).Select(Classify)];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ScanClass ClassAt(ReadOnlySpan<byte> text, int at, out int length)
    {
        var first = text[at];
        if (first < 0x80)
        {
            length = 1;
            return s_ascii[first];
        }

        return Classify(Utf8Text.Decode(text, at, out length));
    }

    public static int SkipClass(ReadOnlySpan<byte> text, int at, ScanClass wanted)
    {
        while (at < text.Length && ClassAt(text, at, out var length) == wanted)
        {
            at += length;
        }

        return at;
    }

    public static int SkipDigits(ReadOnlySpan<byte> text, int at, int most)
    {
        for (var i = 0; i < most && at < text.Length && ClassAt(text, at, out var length) == ScanClass.Number; i++)
        {
            at += length;
        }

        return at;
    }

    /// <summary>An English contraction at an apostrophe (lower case, or any case and then also the long s), or <paramref name="at"/>.</summary>
    public static int SkipContraction(ReadOnlySpan<byte> text, int at, bool ignoreCase)
    {
        if (at + 1 >= text.Length || text[at] != '\'')
        {
            return at;
        }

        var fold = ignoreCase ? 0x20 : 0;
        var first = text[at + 1] | fold;
        if (first is 's' or 't' or 'm' or 'd')
        {
            return at + 2;
        }

        if (at + 2 >= text.Length)
        {
            return at;
        }

        if (ignoreCase && text[at + 1] == 0xC5 && text[at + 2] == 0xBF)
        {
            return at + 3;
        }

        var second = text[at + 2] | fold;
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? at + 3 : at;
    }

    /// <summary>Line ends and, for some patterns, slashes.</summary>
    public static int SkipLineEnds(ReadOnlySpan<byte> text, int at, bool slashes)
    {
        while (at < text.Length && (text[at] is (byte)'\r' or (byte)'\n' || (slashes && text[at] == '/')))
        {
            at++;
        }

        return at;
    }

    /// <summary><c>\s*[\r\n]+|\s+(?!\S)|\s+</c> at a white space character; without <paramref name="lineEnds"/> only the last two.</summary>
    public static int SkipWhiteSpace(ReadOnlySpan<byte> text, int at, bool lineEnds)
    {
        var end = at;
        var afterLineEnd = -1;
        var last = at;
        while (end < text.Length && ClassAt(text, end, out var length) is var kind and (ScanClass.Space or ScanClass.LineEnd))
        {
            last = end;
            end += length;
            if (kind == ScanClass.LineEnd)
            {
                afterLineEnd = end;
            }
        }

        if (lineEnds && afterLineEnd >= 0)
        {
            return afterLineEnd;
        }

        return end == text.Length || last == at ? end : last;
    }

    private static ScanClass Classify(int codePoint) =>
        codePoint is '\r' or '\n' ? ScanClass.LineEnd
        : CodePoints.IsIn(codePoint, CodePoints.Letter) ? ScanClass.Letter
        : CodePoints.IsIn(codePoint, CodePoints.Number) ? ScanClass.Number
        : CodePoints.IsWhiteSpace(codePoint) ? ScanClass.Space : ScanClass.Other;
}
