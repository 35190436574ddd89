using System.Globalization;

namespace Sway.Architectures;

/// <summary>Compares module paths with patterns and fills patterns with numbers.</summary>
public static class ModulePath
{
    /// <summary>Compares part by part; <c>*</c> takes a layer's number, <c>#</c> an expert's, a final <c>**</c> any rest.</summary>
    public static bool Match(string pattern, string path, out int layer, out int expert)
    {
        layer = -1;
        expert = -1;
        ReadOnlySpan<char> left = pattern;
        ReadOnlySpan<char> right = path;
        while (true)
        {
            ReadOnlySpan<char> wanted = Cut(ref left);
            if (wanted is "**")
            {
                return right.Length > 0;
            }

            ReadOnlySpan<char> given = Cut(ref right);
            if (wanted is "*" ? !TryIndex(given, out layer) : wanted is "#" ? !TryIndex(given, out expert) : !given.SequenceEqual(wanted))
            {
                return false;
            }

            if (left.IsEmpty || right.IsEmpty)
            {
                return (left.IsEmpty && right.IsEmpty) || (left is "**" && !right.IsEmpty);
            }
        }
    }

    /// <summary>Puts numbers in the places of <c>*</c> and <c>#</c>.</summary>
    public static string Fill(string pattern, int layer, int expert) => string.Join('.', pattern.Split('.').Select(part => part switch
    {
        "*" => layer.ToString(CultureInfo.InvariantCulture),
        "#" => expert.ToString(CultureInfo.InvariantCulture),
        _ => part,
    }));

    /// <summary>The number of the layer that a path lies in and the name relative to it, by the names that models give the
    /// list of their layers; false for modules outside the layers.</summary>
    public static bool TrySplitLayer(string path, out int layer, out string relative)
    {
        ReadOnlySpan<char> rest = path;
        ReadOnlySpan<char> list = Cut(ref rest);
        while (rest.Contains('.'))
        {
            ReadOnlySpan<char> part = Cut(ref rest);
            if (list is "layers" or "h" or "blocks" && TryIndex(part, out layer))
            {
                relative = rest.ToString();
                return true;
            }

            list = part;
        }

        layer = -1;
        relative = path;
        return false;
    }

    private static ReadOnlySpan<char> Cut(ref ReadOnlySpan<char> path)
    {
        int dot = path.IndexOf('.');
        ReadOnlySpan<char> part = dot < 0 ? path : path[..dot];
        path = dot < 0 ? [] : path[(dot + 1)..];
        return part;
    }

    private static bool TryIndex(ReadOnlySpan<char> text, out int value) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && (text.Length == 1 || text[0] != '0');
}
