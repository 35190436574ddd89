using System.Globalization;
using System.Text;
using Sway.Tokenization.Models;
using Sway.Tokenization.Patterns;

namespace Sway.Tokenization.Decoding;

/// <summary>A step from token texts to text; the results of the last step are joined.</summary>
internal interface IDecoder
{
    List<string> Decode(List<string> tokens);
}

internal sealed class DecoderSequence(IReadOnlyList<IDecoder> steps) : IDecoder
{
    public List<string> Decode(List<string> tokens)
    {
        foreach (var step in steps)
        {
            tokens = step.Decode(tokens);
        }

        return tokens;
    }
}

/// <summary>Byte alphabet back to bytes; a token with other characters gives its own UTF-8.</summary>
internal sealed class ByteLevelDecoder : IDecoder
{
    public List<string> Decode(List<string> tokens)
    {
        var bytes = new List<byte>();
        var buffer = new byte[256];
        foreach (var token in tokens)
        {
            var own = System.Text.Encoding.UTF8.GetBytes(token);
            if (buffer.Length < own.Length)
            {
                buffer = new byte[own.Length];
            }

            bytes.AddRange(ByteAlphabet.TryToBytes(own, buffer, out var written) ? buffer.AsSpan(0, written) : own);
        }

        return [System.Text.Encoding.UTF8.GetString([.. bytes])];
    }
}

/// <summary>Runs of byte tokens (<c>&lt;0xE2&gt;</c>) to text; a run that is no UTF-8 gives one replacement character per byte.</summary>
internal sealed class ByteFallbackDecoder : IDecoder
{
    private static readonly UTF8Encoding s_strict = new(false, true);

    public List<string> Decode(List<string> tokens)
    {
        var result = new List<string>(tokens.Count);
        var run = new List<byte>();
        foreach (var token in tokens)
        {
            if (token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
                && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            {
                run.Add(value);
                continue;
            }

            Flush(run, result);
            result.Add(token);
        }

        Flush(run, result);
        return result;
    }

    private static void Flush(List<byte> run, List<string> result)
    {
        if (run.Count == 0)
        {
            return;
        }

        try
        {
            result.Add(s_strict.GetString([.. run]));
        }
        catch (DecoderFallbackException)
        {
            result.AddRange(Enumerable.Repeat("\uFFFD", run.Count));
        }

        run.Clear();
    }
}

internal sealed class FuseDecoder : IDecoder
{
    public List<string> Decode(List<string> tokens) => [string.Concat(tokens)];
}

/// <summary>Takes up to some given characters off the ends of every token.</summary>
internal sealed class StripDecoder(string content, int start, int stop) : IDecoder
{
    public List<string> Decode(List<string> tokens) => tokens.ConvertAll(Strip);

    private string Strip(string token)
    {
        var from = 0;
        for (var i = 0; i < start && string.CompareOrdinal(token, from, content, 0, content.Length) == 0; i++)
        {
            from += content.Length;
        }

        var to = token.Length;
        for (var i = 0; i < stop && to - content.Length >= from
            && string.CompareOrdinal(token, to - content.Length, content, 0, content.Length) == 0; i++)
        {
            to -= content.Length;
        }

        return token[from..to];
    }
}

/// <summary>Replaces matches within each token.</summary>
internal sealed class ReplaceDecoder(ITextPattern pattern, string content) : IDecoder
{
    public List<string> Decode(List<string> tokens) => tokens.ConvertAll(Replace);

    private string Replace(string token)
    {
        var bytes = System.Text.Encoding.UTF8.GetBytes(token);
        var spans = new List<TextSpan>();
        pattern.FindSpans(bytes, spans);
        var result = new StringBuilder();
        foreach (var span in spans)
        {
            result.Append(span.IsMatch ? content : System.Text.Encoding.UTF8.GetString(bytes, span.Start, span.End - span.Start));
        }

        return result.ToString();
    }
}

internal sealed class MetaspaceDecoder(string sign, bool dropsFirst) : IDecoder
{
    // In the first token every sign goes, not just the leading one.
    public List<string> Decode(List<string> tokens) =>
        [.. tokens.Select((token, i) => token.Replace(sign, i == 0 && dropsFirst ? "" : " ", StringComparison.Ordinal))];
}

internal sealed class BpeDecoder(string suffix) : IDecoder
{
    public List<string> Decode(List<string> tokens) =>
        [.. tokens.Select((t, i) => TextReplacement.All(t, suffix, i == tokens.Count - 1 ? "" : " "))];
}

internal static class TextReplacement
{
    /// <summary>Replaces a text wherever it occurs; the empty text occurs around every character.</summary>
    public static string All(string text, string old, string replacement)
    {
        if (old.Length > 0)
        {
            return text.Replace(old, replacement, StringComparison.Ordinal);
        }

        return replacement.Length == 0 ? text : replacement + string.Concat(text.EnumerateRunes().Select(r => r.ToString() + replacement));
    }
}

internal sealed class WordPieceDecoder(string prefix, bool cleanup) : IDecoder
{
    public List<string> Decode(List<string> tokens)
    {
        var result = new List<string>(tokens.Count);
        for (var i = 0; i < tokens.Count; i++)
        {
            var token = i == 0 ? tokens[i]
                : tokens[i].StartsWith(prefix, StringComparison.Ordinal) ? tokens[i][prefix.Length..] : " " + tokens[i];
            result.Add(cleanup ? Cleanup(token) : token);
        }

        return result;
    }

    /// <summary>Removes the spaces that tokenization left before punctuation and contractions.</summary>
    public static string Cleanup(string text) => text
        .Replace(" .", ".", StringComparison.Ordinal).Replace(" ?", "?", StringComparison.Ordinal)
        .Replace(" !", "!", StringComparison.Ordinal).Replace(" ,", ",", StringComparison.Ordinal)
        .Replace(" ' ", "'", StringComparison.Ordinal).Replace(" n't", "n't", StringComparison.Ordinal)
        .Replace(" 'm", "'m", StringComparison.Ordinal).Replace(" do not", " don't", StringComparison.Ordinal)
        .Replace(" 's", "'s", StringComparison.Ordinal).Replace(" 've", "'ve", StringComparison.Ordinal)
        .Replace(" 're", "'re", StringComparison.Ordinal);
}

internal sealed class CtcDecoder(string padToken, string wordDelimiter, bool cleanup) : IDecoder
{
    public List<string> Decode(List<string> tokens)
    {
        var result = new List<string>();
        for (var i = 0; i < tokens.Count; i++)
        {
            if (i > 0 && string.Equals(tokens[i], tokens[i - 1], StringComparison.Ordinal))
            {
                continue;
            }

            var text = TextReplacement.All(tokens[i], padToken, "");
            if (cleanup)
            {
                text = WordPieceDecoder.Cleanup(text);
                text = TextReplacement.All(text, wordDelimiter, " ");
            }

            if (text.Length > 0)
            {
                result.Add(text);
            }
        }

        return result;
    }
}
