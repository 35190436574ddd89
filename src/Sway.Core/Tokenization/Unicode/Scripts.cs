namespace Sway.Tokenization.Unicode;

/// <summary>The Script property, for <c>\p{Han}</c> and the UnicodeScripts pre-tokenizer.</summary>
internal static class Scripts
{
    private static readonly Lazy<Dictionary<string, (int Start, int End)[]>> s_ranges = new(Load);

    private static readonly Lazy<string[]> s_names = new(() => [.. s_ranges.Value.Keys.Order(StringComparer.Ordinal)]);

    private static readonly Lazy<(int Start, int End, int Script)[]> s_sorted = new(Sort);

    public static bool TryGetRanges(string name, out (int Start, int End)[] ranges) =>
        s_ranges.Value.TryGetValue(Key(name), out ranges!);

    /// <summary>
    /// A number that is equal for code points of one script as of Unicode 9, which the UnicodeScripts pre-tokenizer goes by; -1 for
    /// code points without one.
    /// </summary>
    public static int ScriptOf(int codePoint)
    {
        switch (codePoint)
        {
            case 0x589 or 0x61C:
                return NumberOf("Common");
            case 0x953 or 0x954:
                return NumberOf("Devanagari");
            default:
                return CodePointSets.WithoutScript.Contains(codePoint) ? -1 : NewScriptOf(codePoint);
        }
    }

    private static int NewScriptOf(int codePoint)
    {
        var sorted = s_sorted.Value;
        int low = 0, high = sorted.Length - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var (start, end, script) = sorted[middle];
            if (codePoint < start)
            {
                high = middle - 1;
            }
            else if (codePoint > end)
            {
                low = middle + 1;
            }
            else
            {
                return script;
            }
        }

        return -1;
    }

    public static int NumberOf(string name) => Array.BinarySearch(s_names.Value, Key(name), StringComparer.Ordinal);

    private static string Key(string name) =>
        name.Replace("_", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal)
            .Replace("-", "", StringComparison.Ordinal).ToUpperInvariant();

    private static Dictionary<string, (int Start, int End)[]> Load()
    {
        var all = new Dictionary<string, (int Start, int End)[]>(StringComparer.Ordinal);
        foreach (var line in UnicodeResource.ReadLines("Scripts"))
        {
            var parts = line.Split(' ');
            all[Key(parts[0])] = UnicodeResource.Ranges(parts.AsSpan(1));
        }

        return all;
    }

    private static (int Start, int End, int Script)[] Sort()
    {
        return [.. s_names.Value.SelectMany((name, i) => s_ranges.Value[name].Select(r => (r.Start, r.End, i))).OrderBy(r => r.Start)];
    }
}
