namespace Sway.Tokenization.Unicode;

/// <summary>
/// Sets of code points that follow from no general category, and those that parts of the reference library take from older
/// Unicode versions than its regular expressions: a newer character is none of these for it.
/// </summary>
internal sealed class CodePointSets
{
    private static readonly Lazy<Dictionary<string, CodePointSets>> s_all = new(Load);

    private readonly (int Start, int End)[] _ranges;

    private CodePointSets((int Start, int End)[] ranges) => _ranges = ranges;

    /// <summary>Alphabetic without being a letter or a letter number.</summary>
    public static CodePointSets OtherAlphabetic { get; } = Named("other-alphabetic");

    /// <summary>Lowercase without being a lowercase letter.</summary>
    public static CodePointSets OtherLowercase { get; } = Named("other-lowercase");

    /// <summary>Uppercase without being an uppercase letter.</summary>
    public static CodePointSets OtherUppercase { get; } = Named("other-uppercase");

    /// <summary>What the Punctuation and BERT pre-tokenizers split off: the category P of Unicode 8 and all ASCII symbols.</summary>
    public static CodePointSets Punctuation { get; } = Named("punctuation");

    /// <summary>The category Cf of Unicode 8, which BERT's cleaning drops.</summary>
    public static CodePointSets Format { get; } = Named("format");

    /// <summary>The category Mn of Unicode 8, which BERT's accent stripping drops.</summary>
    public static CodePointSets NonSpacingMark { get; } = Named("nonspacing-mark");

    /// <summary>The category M of Unicode 9, which StripAccents drops.</summary>
    public static CodePointSets Mark { get; } = Named("mark");

    /// <summary>Code points with a script that Unicode 9 did not have.</summary>
    public static CodePointSets WithoutScript { get; } = Named("without-script");

    /// <summary>Whether the set holds a code point.</summary>
    public bool Contains(int codePoint) => IsIn(_ranges, codePoint);

    /// <summary>Whether one of the ranges, which are in order, holds a code point.</summary>
    public static bool IsIn((int Start, int End)[] ranges, int codePoint)
    {
        int low = 0, high = ranges.Length - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (codePoint < ranges[middle].Start)
            {
                high = middle - 1;
            }
            else if (codePoint > ranges[middle].End)
            {
                low = middle + 1;
            }
            else
            {
                return true;
            }
        }

        return false;
    }

    private static CodePointSets Named(string name) => s_all.Value[name];

    private static Dictionary<string, CodePointSets> Load() => UnicodeResource.ReadLines("Sets").Select(line => line.Split(' '))
        .ToDictionary(parts => parts[0], parts => new CodePointSets(UnicodeResource.Ranges(parts.AsSpan(1))), StringComparer.Ordinal);
}
