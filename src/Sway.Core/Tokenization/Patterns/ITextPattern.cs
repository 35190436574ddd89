namespace Sway.Tokenization.Patterns;

/// <summary>A part of a searched text: a match, or what lies between matches.</summary>
internal readonly record struct TextSpan(int Start, int End, bool IsMatch);

/// <summary>Something that finds its matches in a UTF-8 text; the spans cover the text without gaps.</summary>
internal interface ITextPattern
{
    /// <summary>Appends the spans of <paramref name="text"/>, offsets relative to its start.</summary>
    void FindSpans(ReadOnlySpan<byte> text, List<TextSpan> spans);
}

/// <summary>Matches every code point that satisfies a predicate, one by one.</summary>
internal sealed class CodePointPattern(Func<int, bool> isMatch) : ITextPattern
{
    public void FindSpans(ReadOnlySpan<byte> text, List<TextSpan> spans)
    {
        var last = 0;
        for (var at = 0; at < text.Length;)
        {
            var codePoint = Unicode.Utf8Text.Decode(text, at, out var length);
            if (isMatch(codePoint))
            {
                if (last < at)
                {
                    spans.Add(new TextSpan(last, at, false));
                }

                spans.Add(new TextSpan(at, at + length, true));
                last = at + length;
            }

            at += length;
        }

        if (last < text.Length)
        {
            spans.Add(new TextSpan(last, text.Length, false));
        }
    }
}

/// <summary>Matches maximal runs of equal classes; class 0 is never matched.</summary>
internal sealed class RunPattern(Func<int, int> classOf) : ITextPattern
{
    public void FindSpans(ReadOnlySpan<byte> text, List<TextSpan> spans)
    {
        for (var at = 0; at < text.Length;)
        {
            var start = at;
            var first = classOf(Unicode.Utf8Text.Decode(text, at, out var length));
            for (at += length; at < text.Length && classOf(Unicode.Utf8Text.Decode(text, at, out length)) == first; at += length)
            {
            }

            spans.Add(new TextSpan(start, at, first != 0));
        }
    }
}

/// <summary>Matches a fixed string; an empty one never matches.</summary>
internal sealed class LiteralPattern(string literal) : ITextPattern
{
    private readonly byte[] _literal = System.Text.Encoding.UTF8.GetBytes(literal);

    public void FindSpans(ReadOnlySpan<byte> text, List<TextSpan> spans)
    {
        var last = 0;
        while (_literal.Length > 0 && text[last..].IndexOf(_literal) is var found and >= 0)
        {
            if (found > 0)
            {
                spans.Add(new TextSpan(last, last + found, false));
            }

            spans.Add(new TextSpan(last + found, last + found + _literal.Length, true));
            last += found + _literal.Length;
        }

        if (last < text.Length)
        {
            spans.Add(new TextSpan(last, text.Length, false));
        }
    }
}
