namespace Sway.Tokenization.Unicode;

/// <summary>A code point of a transformed text. <c>Change</c> says what it replaces: 0 = one old code point, 1 = none (it is new),
/// -n = one old code point and n that follow.</summary>
internal readonly record struct Edit(int CodePoint, int Change);

/// <summary>
/// NFC, NFD, NFKC and NFKD (UAX 15) with the bookkeeping that maps the result to the text. Own tables, because .NET would
/// use the machine's ICU, and because its normalization forms keep no alignment.
/// </summary>
internal static class Normalizer
{
    private const int HangulBase = 0xAC00, LBase = 0x1100, VBase = 0x1161, TBase = 0x11A7;
    private const int LCount = 19, VCount = 21, TCount = 28, NCount = VCount * TCount, SCount = LCount * NCount;

    private static readonly Lazy<Tables> s_tables = new(Load);

    public static int CombiningClass(int codePoint) =>
        codePoint < 0x300 ? 0 : s_tables.Value.Classes.GetValueOrDefault(codePoint);

    /// <summary>True when NFC surely changes nothing: no code point from the combining marks on.</summary>
    public static bool IsPlainNfc(ReadOnlySpan<byte> text) => text.IndexOfAnyExceptInRange((byte)0, (byte)0xCB) < 0;

    public static List<Edit> Decompose(ReadOnlySpan<byte> text, bool compatibility)
    {
        var result = new List<Edit>(text.Length);
        var unordered = 0;
        for (var at = 0; at < text.Length;)
        {
            var codePoint = Utf8Text.Decode(text, at, out var length);
            at += length;
            var first = result.Count;
            AppendDecomposition(codePoint, compatibility, result, first);
            for (var i = first; i < result.Count; i++)
            {
                if (CombiningClass(result[i].CodePoint) == 0)
                {
                    Reorder(result, unordered, i);
                    unordered = i + 1;
                }
            }
        }

        Reorder(result, unordered, result.Count);
        return result;
    }

    public static List<Edit> Compose(List<Edit> decomposed)
    {
        var result = new List<Edit>(decomposed.Count);
        var starter = -1;
        var lastClass = 0;
        foreach (var edit in decomposed)
        {
            var combiningClass = CombiningClass(edit.CodePoint);
            if (starter >= 0)
            {
                var adjacent = starter == result.Count - 1;
                if ((adjacent || lastClass < combiningClass)
                    && Pair(result[starter].CodePoint, edit.CodePoint) is var composed and >= 0)
                {
                    result[starter] = new Edit(composed, result[starter].Change + edit.Change - 1);
                    continue;
                }
            }

            if (combiningClass == 0)
            {
                starter = result.Count;
            }

            lastClass = combiningClass;
            result.Add(edit);
        }

        return result;
    }

    private static void AppendDecomposition(int codePoint, bool compatibility, List<Edit> result, int first)
    {
        if (codePoint is >= HangulBase and < HangulBase + SCount)
        {
            var index = codePoint - HangulBase;
            Add(LBase + (index / NCount), result, first);
            Add(VBase + (index % NCount / TCount), result, first);
            if (index % TCount != 0)
            {
                Add(TBase + (index % TCount), result, first);
            }

            return;
        }

        var tables = s_tables.Value;
        if (codePoint >= 0xA0 && (tables.Canonical.TryGetValue(codePoint, out var parts)
            || (compatibility && tables.Compatible.TryGetValue(codePoint, out parts))))
        {
            foreach (var part in parts)
            {
                AppendDecomposition(part, compatibility, result, first);
            }

            return;
        }

        Add(codePoint, result, first);
    }

    private static void Add(int codePoint, List<Edit> result, int first) =>
        result.Add(new Edit(codePoint, result.Count == first ? 0 : 1));

    /// <summary>Stable sort by combining class; marks that pile up without end are cut at the caller's starters.</summary>
    private static void Reorder(List<Edit> edits, int start, int end)
    {
        if (end - start < 2)
        {
            return;
        }

        var sorted = edits.GetRange(start, end - start).OrderBy(e => CombiningClass(e.CodePoint)).ToList();
        for (var i = 0; i < sorted.Count; i++)
        {
            edits[start + i] = sorted[i];
        }
    }

    private static int Pair(int first, int second)
    {
        if (first is >= LBase and < LBase + LCount && second is >= VBase and < VBase + VCount)
        {
            return HangulBase + ((((first - LBase) * VCount) + second - VBase) * TCount);
        }

        if (first is >= HangulBase and < HangulBase + SCount && (first - HangulBase) % TCount == 0
            && second is > TBase and < TBase + TCount)
        {
            return first + second - TBase;
        }

        return second < 0x300 ? -1 : s_tables.Value.Pairs.TryGetValue(((long)first << 32) | (uint)second, out var pair) ? pair : -1;
    }

    private static Tables Load()
    {
        var tables = new Tables([], [], [], []);
        var section = "";
        var excluded = new HashSet<int>();
        foreach (var line in UnicodeResource.ReadLines("Decompositions"))
        {
            if (line is "ccc" or "excluded")
            {
                section = line;
                continue;
            }

            var parts = line.Split(' ');
            switch (section)
            {
                case "ccc":
                    for (var c = UnicodeResource.Hex(parts[0]); c <= UnicodeResource.Hex(parts[1]); c++)
                    {
                        tables.Classes[c] = (byte)UnicodeResource.Decimal(parts[2]);
                    }

                    break;
                case "excluded":
                    excluded.Add(UnicodeResource.Hex(line));
                    break;
                default:
                    var target = parts[0][0] == 'C' ? tables.Canonical : tables.Compatible;
                    target[UnicodeResource.Hex(parts[1])] = [.. parts.Skip(2).Select(p => UnicodeResource.Hex(p))];
                    break;
            }
        }

        foreach (var (codePoint, parts) in tables.Canonical)
        {
            if (parts.Length == 2 && !excluded.Contains(codePoint))
            {
                tables.Pairs[((long)parts[0] << 32) | (uint)parts[1]] = codePoint;
            }
        }

        return tables;
    }

    private sealed record Tables(
        Dictionary<int, int[]> Canonical, Dictionary<int, int[]> Compatible, Dictionary<int, byte> Classes, Dictionary<long, int> Pairs);
}
