namespace Sway.Tokenization.Patterns;

/// <summary>The general path: any pattern of the dialect, found match by match as the reference library iterates.</summary>
internal sealed class RegexPattern(string pattern) : ITextPattern
{
    private readonly RegexProgram _program = RegexProgram.Compile(pattern);

    public void FindSpans(ReadOnlySpan<byte> text, List<TextSpan> spans)
    {
        var matcher = new RegexMatcher(_program, text);
        var previous = 0;
        var from = 0;
        var lastMatchEnd = -1;
        while (from <= text.Length && matcher.Search(from, out var start, out var end))
        {
            if (start == end && end == lastMatchEnd)
            {
                // An empty match right after a match is no match; look on from the next character.
                from += from < text.Length ? Unicode.Utf8Text.LengthOf(text[from]) : 1;
                continue;
            }

            from = lastMatchEnd = end;
            if (previous != start)
            {
                spans.Add(new TextSpan(previous, start, false));
            }

            spans.Add(new TextSpan(start, end, true));
            previous = end;
        }

        if (previous != text.Length)
        {
            spans.Add(new TextSpan(previous, text.Length, false));
        }
    }
}
