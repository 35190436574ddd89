using Sway.Tokenization.Patterns;
using Sway.Tokenization.Unicode;

namespace Sway.Tokenization.Normalization;

/// <summary>Replaces every match by a text, which takes the origin of the last character it replaces.</summary>
internal sealed class ReplaceNormalizer(ITextPattern pattern, string content) : INormalizer
{
    private readonly byte[] _content = System.Text.Encoding.UTF8.GetBytes(content);

    public void Normalize(AlignedText source, AlignedText target)
    {
        var spans = new List<TextSpan>();
        pattern.FindSpans(source.Bytes, spans);
        foreach (var span in spans)
        {
            if (!span.IsMatch)
            {
                target.AppendRange(source, span.Start, span.End);
            }
            else if (span.End == 0)
            {
                target.Append(_content, 0, 0);
            }
            else
            {
                target.Append(_content, source.OriginStart(span.End - 1), source.OriginEnd(span.End - 1));
            }
        }
    }
}

/// <summary>Puts a text before any text that is not empty.</summary>
internal sealed class PrependNormalizer(string text) : INormalizer
{
    private readonly byte[] _text = System.Text.Encoding.UTF8.GetBytes(text);

    public void Normalize(AlignedText source, AlignedText target)
    {
        if (source.Length > 0)
        {
            target.Append(_text, source.OriginStart(0), source.OriginEnd(0));
            target.AppendRange(source, 0, source.Length);
        }
    }
}

/// <summary>Drops white space at the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : INormalizer
{
    public void Normalize(AlignedText source, AlignedText target)
    {
        var text = source.Bytes;
        var start = 0;
        var end = text.Length;
        while (left && start < end && CodePoints.IsWhiteSpace(Utf8Text.Decode(text, start, out var length)))
        {
            start += length;
        }

        while (right && end > start && CodePoints.IsWhiteSpace(Utf8Text.DecodeBefore(text, end, out var length)))
        {
            end -= length;
        }

        target.AppendRange(source, start, end);
    }
}
