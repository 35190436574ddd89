using Sway.Tokenization.Unicode;

namespace Sway.Tokenization.Patterns;

/// <summary>The base of scanners whose matches cover every text.</summary>
internal abstract class Scanner : ITextPattern
{
    public void FindSpans(ReadOnlySpan<byte> text, List<TextSpan> spans)
    {
        for (var at = 0; at < text.Length;)
        {
            var end = Next(text, at);
            spans.Add(new TextSpan(at, end, true));
            at = end;
        }
    }

    /// <summary>The end of the match that begins at <paramref name="at"/>.</summary>
    protected abstract int Next(ReadOnlySpan<byte> text, int at);
}

/// <summary>GPT-2: the pattern of ByteLevel with use_regex.</summary>
internal sealed class Gpt2Scanner : Scanner
{
    protected override int Next(ReadOnlySpan<byte> text, int at)
    {
        var afterContraction = ScannerParts.SkipContraction(text, at, ignoreCase: false);
        if (afterContraction > at)
        {
            return afterContraction;
        }

        var start = text[at] == ' ' && at + 1 < text.Length ? at + 1 : at;
        var kind = ScannerParts.ClassAt(text, start, out var length);
        if (kind is ScanClass.Space or ScanClass.LineEnd)
        {
            return ScannerParts.SkipWhiteSpace(text, at, lineEnds: false);
        }

        return ScannerParts.SkipClass(text, start + length, kind);
    }
}

/// <summary>cl100k, Llama-3 and Qwen2, which differ in how many digits go together.</summary>
internal sealed class TiktokenScanner(int digits) : Scanner
{
    protected override int Next(ReadOnlySpan<byte> text, int at)
    {
        var afterContraction = ScannerParts.SkipContraction(text, at, ignoreCase: true);
        if (afterContraction > at)
        {
            return afterContraction;
        }

        var kind = ScannerParts.ClassAt(text, at, out var length);
        if (kind == ScanClass.Letter)
        {
            return ScannerParts.SkipClass(text, at + length, ScanClass.Letter);
        }

        if (kind == ScanClass.Number)
        {
            return ScannerParts.SkipDigits(text, at, digits);
        }

        if (kind != ScanClass.LineEnd && at + length < text.Length
            && ScannerParts.ClassAt(text, at + length, out var next) == ScanClass.Letter)
        {
            return ScannerParts.SkipClass(text, at + length + next, ScanClass.Letter);
        }

        return CommonTail(text, at, kind, slashes: false);
    }

    /// <summary>Symbols with the line ends after them, then white space: the same in all tiktoken patterns.</summary>
    internal static int CommonTail(ReadOnlySpan<byte> text, int at, ScanClass kind, bool slashes)
    {
        var start = text[at] == ' ' ? at + 1 : at;
        if (kind == ScanClass.Other
            || (start > at && start < text.Length && ScannerParts.ClassAt(text, start, out _) == ScanClass.Other))
        {
            return ScannerParts.SkipLineEnds(text, ScannerParts.SkipClass(text, start, ScanClass.Other), slashes);
        }

        return ScannerParts.SkipWhiteSpace(text, at, lineEnds: true);
    }
}

/// <summary>o200k (GPT-4o, gpt-oss) and Tekken: words are split where lower case turns to upper case.</summary>
internal sealed class O200kScanner(bool contractions, int digits) : Scanner
{
    private const uint Upper = 1 | 4 | 8 | 16 | CodePoints.Mark;
    private const uint Lower = 2 | 8 | 16 | CodePoints.Mark;

    protected override int Next(ReadOnlySpan<byte> text, int at)
    {
        var kind = ScannerParts.ClassAt(text, at, out var length);
        var afterLead = kind is ScanClass.Other or ScanClass.Space ? at + length : -1;
        var end = Word(text, at, afterLead);
        if (end >= 0)
        {
            return contractions ? ScannerParts.SkipContraction(text, end, ignoreCase: true) : end;
        }

        return kind == ScanClass.Number
            ? ScannerParts.SkipDigits(text, at, digits)
            : TiktokenScanner.CommonTail(text, at, kind, slashes: true);
    }

    private static int Word(ReadOnlySpan<byte> text, int at, int afterLead)
    {
        var withLead = afterLead < 0 ? (-1, -1) : Runs(text, afterLead);
        var plain = Runs(text, at);
        return withLead.Item1 >= 0 ? withLead.Item1
            : plain.Item1 >= 0 ? plain.Item1
            : withLead.Item2 >= 0 ? withLead.Item2 : plain.Item2;
    }

    /// <summary>The ends of "upper* lower+" and of "upper+ lower*" at a position, -1 where they do not match.</summary>
    private static (int LowerEnd, int UpperEnd) Runs(ReadOnlySpan<byte> text, int start)
    {
        var at = start;
        var lastBoth = -1;
        while (at < text.Length && Utf8Text.Decode(text, at, out var length) is var c && CodePoints.IsIn(c, Upper))
        {
            at += length;
            lastBoth = CodePoints.IsIn(c, Lower) ? at : lastBoth;
        }

        var upperEnd = at;
        while (at < text.Length && CodePoints.IsIn(Utf8Text.Decode(text, at, out var length), Lower))
        {
            at += length;
        }

        // When nothing lower follows, "upper*" gives back until a character that is both can serve as "lower+".
        return (at > upperEnd ? at : lastBoth, upperEnd > start ? at : -1);
    }
}
