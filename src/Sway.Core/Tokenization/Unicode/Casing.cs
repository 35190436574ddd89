namespace Sway.Tokenization.Unicode;

/// <summary>Lower case (Unicode 17) and case folding (16); .NET takes these from the machine's ICU, whose version varies.</summary>
internal static class Casing
{
    private static readonly Lazy<Tables> s_tables = new(Load);

    public static int ToLower(int codePoint)
    {
        if (codePoint < 0x80)
        {
            return codePoint is >= 'A' and <= 'Z' ? codePoint + 32 : codePoint;
        }

        return s_tables.Value.Lower.TryGetValue(codePoint, out var lower) ? lower : codePoint;
    }

    public static int Fold(int codePoint)
    {
        if (codePoint < 0x80)
        {
            return codePoint is >= 'A' and <= 'Z' ? codePoint + 32 : codePoint;
        }

        var tables = s_tables.Value;
        return tables.Fold.TryGetValue(codePoint, out var folded) ? folded
            : tables.Lower.TryGetValue(codePoint, out var lower) ? lower : codePoint;
    }

    /// <summary>All code points that fold to the same one as <paramref name="codePoint"/>, itself included.</summary>
    public static IReadOnlyList<int> Equivalents(int codePoint)
    {
        var folded = Fold(codePoint);
        return s_tables.Value.Classes.TryGetValue(folded, out var members) ? members : [codePoint];
    }

    private static Tables Load()
    {
        var lower = new Dictionary<int, int>();
        var fold = new Dictionary<int, int>();
        var target = lower;
        foreach (var line in UnicodeResource.ReadLines("Casing"))
        {
            if (string.Equals(line, "fold", StringComparison.Ordinal))
            {
                target = fold;
                continue;
            }

            var parts = line.Split(' ');
            var start = UnicodeResource.Hex(parts[0]);
            var count = UnicodeResource.Hex(parts[1]);
            var step = UnicodeResource.Decimal(parts[2]);
            var delta = UnicodeResource.Decimal(parts[3]);
            for (var i = 0; i < count; i++)
            {
                var codePoint = start + (i * step);
                target[codePoint] = codePoint + delta;
            }
        }

        var classes = new Dictionary<int, List<int>>();
        foreach (var codePoint in lower.Keys.Union(fold.Keys).Order())
        {
            var folded = fold.TryGetValue(codePoint, out var f) ? f : lower[codePoint];
            if (!classes.TryGetValue(folded, out var members))
            {
                classes[folded] = members = [folded];
            }

            if (codePoint != folded)
            {
                members.Add(codePoint);
            }
        }

        return new Tables(lower, fold, classes);
    }

    private sealed record Tables(Dictionary<int, int> Lower, Dictionary<int, int> Fold, Dictionary<int, List<int>> Classes);
}
