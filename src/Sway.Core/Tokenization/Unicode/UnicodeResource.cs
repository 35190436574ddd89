using System.Globalization;

namespace Sway.Tokenization.Unicode;

/// <summary>Reads the text tables beside this file, which are compiled into the assembly.</summary>
internal static class UnicodeResource
{
    public static IEnumerable<string> ReadLines(string name)
    {
        using var stream = typeof(UnicodeResource).Assembly.GetManifestResourceStream("Sway.Unicode." + name)
            ?? throw new InvalidOperationException("The assembly lacks its Unicode table " + name + ".");
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
        {
            if (line.Length > 0 && line[0] != '#')
            {
                yield return line;
            }
        }
    }

    /// <summary>Ranges "start-end", or one code point alone, in hexadecimal.</summary>
    public static (int Start, int End)[] Ranges(ReadOnlySpan<string> parts)
    {
        var ranges = new (int Start, int End)[parts.Length];
        for (var i = 0; i < ranges.Length; i++)
        {
            var dash = parts[i].IndexOf('-', StringComparison.Ordinal);
            var start = Hex(dash < 0 ? parts[i] : parts[i].AsSpan(0, dash));
            ranges[i] = (start, dash < 0 ? start : Hex(parts[i].AsSpan(dash + 1)));
        }

        return ranges;
    }

    public static int Hex(ReadOnlySpan<char> text) => int.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    public static int Decimal(ReadOnlySpan<char> text) => int.Parse(text, NumberStyles.Integer, CultureInfo.InvariantCulture);
}
