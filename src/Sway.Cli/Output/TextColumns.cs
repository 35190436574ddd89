using System.Globalization;
using System.Text;

namespace Sway.Cli.Output;

/// <summary>How many columns of a terminal a text takes, and where it breaks.</summary>
internal static class TextColumns
{
    /// <summary>Columns of a text on one line: marks take none, East Asian wide characters and pictures two.</summary>
    internal static int Of(string text)
    {
        if (Ascii.IsValid(text))
        {
            return text.Length;
        }

        int columns = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            columns += Of(rune);
        }

        return columns;
    }

    /// <summary>
    /// Breaks a text into lines of at most <paramref name="width"/> columns: between words, or within a word that is longer.
    /// Line ends and other control characters count as spaces, so that no text can move a terminal's cursor.
    /// </summary>
    internal static List<string> Wrap(string text, int width)
    {
        if (HasControl(text))
        {
            text = string.Create(text.Length, text, static (to, from) =>
            {
                for (int i = 0; i < to.Length; i++)
                {
                    to[i] = char.IsControl(from[i]) ? ' ' : from[i];
                }
            });
        }

        if (Of(text) <= width)
        {
            return [text.TrimEnd()];
        }

        var lines = new List<string>();
        int start = 0, end = 0, columns = 0, lastSpace = -1;
        while (end < text.Length)
        {
            Rune.DecodeFromUtf16(text.AsSpan(end), out Rune rune, out int length);
            int of = Of(rune);
            if (columns + of > width && end > start)
            {
                if (rune.Value == ' ')
                {
                    lastSpace = end;
                }

                int cut = lastSpace > start ? lastSpace : end;
                lines.Add(text[start..cut].TrimEnd());
                start = end = lastSpace > start ? lastSpace + 1 : end;
                columns = 0;
                lastSpace = -1;
                continue;
            }

            if (rune.Value == ' ')
            {
                lastSpace = end;
            }

            columns += of;
            end += length;
        }

        if (start < text.Length)
        {
            lines.Add(text[start..].TrimEnd());
        }

        return lines;
    }

    private static bool HasControl(string text)
    {
        foreach (char c in text)
        {
            if (char.IsControl(c))
            {
                return true;
            }
        }

        return false;
    }

    private static int Of(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format => 0,
        _ => IsWide(rune.Value) ? 2 : 1,
    };

    private static bool IsWide(int value) => value >= 0x1100 && value is
        <= 0x115F or (>= 0x2E80 and <= 0x303E) or (>= 0x3041 and <= 0x33FF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x4E00 and <= 0xA4CF)
        or (>= 0xAC00 and <= 0xD7A3) or (>= 0xF900 and <= 0xFAFF) or (>= 0xFE30 and <= 0xFE6F) or (>= 0xFF00 and <= 0xFF60)
        or (>= 0xFFE0 and <= 0xFFE6) or (>= 0x1F300 and <= 0x1F64F) or (>= 0x1F680 and <= 0x1F6FF) or (>= 0x1F900 and <= 0x1FAFF)
        or (>= 0x20000 and <= 0x3FFFD);
}
