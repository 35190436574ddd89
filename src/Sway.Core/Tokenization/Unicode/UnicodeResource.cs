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

    public static int Hex(ReadOnlySpan<char> text) => int.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    public static int Decimal(ReadOnlySpan<char> text) => int.Parse(text, NumberStyles.Integer, CultureInfo.InvariantCulture);
}
