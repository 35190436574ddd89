using System.Globalization;

namespace Sway.Cli.Output;

/// <summary>Numbers and paths as people read them, independent of the machine's language.</summary>
internal static class Format
{
    /// <summary>1234567 bytes as <c>1.23 MB</c>.</summary>
    internal static string Bytes(long bytes)
    {
        if (bytes < 1000)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{bytes} B");
        }

        string[] units = ["kB", "MB", "GB", "TB"];
        double value = bytes / 1000.0;
        int unit = 0;
        while (value >= 999.5 && unit < units.Length - 1)
        {
            value /= 1000;
            unit++;
        }

        string digits = value switch { < 9.995 => "0.00", < 99.95 => "0.0", _ => "0" };
        return value.ToString(digits, CultureInfo.InvariantCulture) + " " + units[unit];
    }

    /// <summary>1234567 as <c>1,234,567</c>.</summary>
    internal static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A number in at most six digits.</summary>
    internal static string Number(double value) => value.ToString("G6", CultureInfo.InvariantCulture);

    /// <summary>A small difference in two digits, for example <c>2.7e-8</c>.</summary>
    internal static string Difference(double value) => value.ToString("0.0e0", CultureInfo.InvariantCulture);

    /// <summary>Seconds with a fitting unit.</summary>
    internal static string Seconds(double seconds) => seconds < 1
        ? (seconds * 1000).ToString("0", CultureInfo.InvariantCulture) + " ms"
        : seconds.ToString("0.0", CultureInfo.InvariantCulture) + " s";

    /// <summary>Distinct values in one cell; many are cut to the first and last.</summary>
    internal static string List(IReadOnlyList<string> values)
    {
        const int Shown = 4;
        if (values.Count <= Shown)
        {
            return string.Join(", ", values);
        }

        return $"{string.Join(", ", values.Take(Shown - 1))} ... {values[^1]} ({values.Count})";
    }

    /// <summary>The same of whole numbers.</summary>
    internal static string List(IReadOnlyList<int> values) => List(Texts(values, static value => value.ToString(CultureInfo.InvariantCulture)));

    /// <summary>The same of numbers in at most six digits.</summary>
    internal static string List(IReadOnlyList<double> values) => List(Texts(values, Number));

    // An array behind the interface would have its members compiled anew in each process.
    private static string[] Texts<T>(IReadOnlyList<T> values, Func<T, string> text)
    {
        T[] array = values as T[] ?? [.. values];
        string[] texts = new string[array.Length];
        for (int i = 0; i < texts.Length; i++)
        {
            texts[i] = text(array[i]);
        }

        return texts;
    }

    /// <summary>The path relative to the current folder where that is shorter and does not climb.</summary>
    internal static string Path(string path)
    {
        string relative = System.IO.Path.GetRelativePath(Environment.CurrentDirectory, path);
        return relative.StartsWith("..", StringComparison.Ordinal) ? path : relative;
    }
}
