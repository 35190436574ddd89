using System.Globalization;
using Sway.Tokenization.Unicode;

namespace Sway.Tokenization.Patterns;

/// <summary>The named classes of the dialect: properties, scripts, POSIX brackets and shorthands.</summary>
internal static class RegexClasses
{
    public static readonly CharacterSet Any = new([_ => true]);

    public static readonly CharacterSet NotNewline = new([c => c == '\n'], negated: true);

    public static readonly RegexNode LineBreak = new AtomicNode(new AlternativesNode(
    [
        new SequenceNode([new SetNode(CharacterSet.Of('\r', false)), new SetNode(CharacterSet.Of('\n', false))]),
        new SetNode(new CharacterSet([c => c is (>= 10 and <= 13) or 0x85 or 0x2028 or 0x2029])),
    ]));

    private static readonly Dictionary<string, uint> s_categories = new(StringComparer.Ordinal)
    {
        ["L"] = CodePoints.Letter, ["LETTER"] = CodePoints.Letter,
        ["LU"] = Bit(UnicodeCategory.UppercaseLetter), ["UPPERCASELETTER"] = Bit(UnicodeCategory.UppercaseLetter),
        ["LL"] = Bit(UnicodeCategory.LowercaseLetter), ["LOWERCASELETTER"] = Bit(UnicodeCategory.LowercaseLetter),
        ["LT"] = Bit(UnicodeCategory.TitlecaseLetter), ["TITLECASELETTER"] = Bit(UnicodeCategory.TitlecaseLetter),
        ["LC"] = 7, ["CASEDLETTER"] = 7,
        ["LM"] = Bit(UnicodeCategory.ModifierLetter), ["MODIFIERLETTER"] = Bit(UnicodeCategory.ModifierLetter),
        ["LO"] = Bit(UnicodeCategory.OtherLetter), ["OTHERLETTER"] = Bit(UnicodeCategory.OtherLetter),
        ["M"] = CodePoints.Mark, ["MARK"] = CodePoints.Mark, ["COMBININGMARK"] = CodePoints.Mark,
        ["MN"] = Bit(UnicodeCategory.NonSpacingMark), ["NONSPACINGMARK"] = Bit(UnicodeCategory.NonSpacingMark),
        ["MC"] = Bit(UnicodeCategory.SpacingCombiningMark), ["SPACINGMARK"] = Bit(UnicodeCategory.SpacingCombiningMark),
        ["ME"] = Bit(UnicodeCategory.EnclosingMark), ["ENCLOSINGMARK"] = Bit(UnicodeCategory.EnclosingMark),
        ["N"] = CodePoints.Number, ["NUMBER"] = CodePoints.Number,
        ["ND"] = Bit(UnicodeCategory.DecimalDigitNumber), ["DECIMALNUMBER"] = Bit(UnicodeCategory.DecimalDigitNumber),
        ["NL"] = Bit(UnicodeCategory.LetterNumber), ["LETTERNUMBER"] = Bit(UnicodeCategory.LetterNumber),
        ["NO"] = Bit(UnicodeCategory.OtherNumber), ["OTHERNUMBER"] = Bit(UnicodeCategory.OtherNumber),
        ["P"] = CodePoints.Punctuation, ["PUNCTUATION"] = CodePoints.Punctuation,
        ["PC"] = Bit(UnicodeCategory.ConnectorPunctuation), ["CONNECTORPUNCTUATION"] = Bit(UnicodeCategory.ConnectorPunctuation),
        ["PD"] = Bit(UnicodeCategory.DashPunctuation), ["DASHPUNCTUATION"] = Bit(UnicodeCategory.DashPunctuation),
        ["PS"] = Bit(UnicodeCategory.OpenPunctuation), ["OPENPUNCTUATION"] = Bit(UnicodeCategory.OpenPunctuation),
        ["PE"] = Bit(UnicodeCategory.ClosePunctuation), ["CLOSEPUNCTUATION"] = Bit(UnicodeCategory.ClosePunctuation),
        ["PI"] = Bit(UnicodeCategory.InitialQuotePunctuation), ["INITIALPUNCTUATION"] = Bit(UnicodeCategory.InitialQuotePunctuation),
        ["PF"] = Bit(UnicodeCategory.FinalQuotePunctuation), ["FINALPUNCTUATION"] = Bit(UnicodeCategory.FinalQuotePunctuation),
        ["PO"] = Bit(UnicodeCategory.OtherPunctuation), ["OTHERPUNCTUATION"] = Bit(UnicodeCategory.OtherPunctuation),
        ["S"] = CodePoints.Symbol, ["SYMBOL"] = CodePoints.Symbol,
        ["SM"] = Bit(UnicodeCategory.MathSymbol), ["MATHSYMBOL"] = Bit(UnicodeCategory.MathSymbol),
        ["SC"] = Bit(UnicodeCategory.CurrencySymbol), ["CURRENCYSYMBOL"] = Bit(UnicodeCategory.CurrencySymbol),
        ["SK"] = Bit(UnicodeCategory.ModifierSymbol), ["MODIFIERSYMBOL"] = Bit(UnicodeCategory.ModifierSymbol),
        ["SO"] = Bit(UnicodeCategory.OtherSymbol), ["OTHERSYMBOL"] = Bit(UnicodeCategory.OtherSymbol),
        ["Z"] = CodePoints.Separator, ["SEPARATOR"] = CodePoints.Separator,
        ["ZS"] = Bit(UnicodeCategory.SpaceSeparator), ["SPACESEPARATOR"] = Bit(UnicodeCategory.SpaceSeparator),
        ["ZL"] = Bit(UnicodeCategory.LineSeparator), ["LINESEPARATOR"] = Bit(UnicodeCategory.LineSeparator),
        ["ZP"] = Bit(UnicodeCategory.ParagraphSeparator), ["PARAGRAPHSEPARATOR"] = Bit(UnicodeCategory.ParagraphSeparator),
        ["C"] = CodePoints.Other, ["OTHER"] = CodePoints.Other,
        ["CC"] = Bit(UnicodeCategory.Control), ["CONTROL"] = Bit(UnicodeCategory.Control),
        ["CF"] = Bit(UnicodeCategory.Format), ["FORMAT"] = Bit(UnicodeCategory.Format),
        ["CS"] = Bit(UnicodeCategory.Surrogate), ["SURROGATE"] = Bit(UnicodeCategory.Surrogate),
        ["CO"] = Bit(UnicodeCategory.PrivateUse), ["PRIVATEUSE"] = Bit(UnicodeCategory.PrivateUse),
        ["CN"] = Bit(UnicodeCategory.OtherNotAssigned), ["UNASSIGNED"] = Bit(UnicodeCategory.OtherNotAssigned),
    };

    /// <summary>The class behind <c>\p{name}</c> or <c>[:name:]</c>, or null when there is none of that name.</summary>
    /// <param name="name">The name, in which case, spaces, hyphens and underscores do not count.</param>
    /// <param name="bracket">Whether it stands in a POSIX bracket.</param>
    public static Func<int, bool>? Find(string name, bool bracket = false)
    {
        var key = name.Replace("_", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal)
            .Replace("-", "", StringComparison.Ordinal).ToUpperInvariant();
        if (s_categories.TryGetValue(key, out var mask))
        {
            return c => CodePoints.IsIn(c, mask);
        }

        var named = FindPosix(key, bracket);
        if (named is not null)
        {
            return named;
        }

        return Scripts.TryGetRanges(name, out var ranges) ? c => CodePointSets.IsIn(ranges, c) : null;
    }

    /// <summary>The class behind <c>\p{name}</c> outside of brackets.</summary>
    public static Func<int, bool>? FindLone(string name) =>
        string.Equals(name, "word", StringComparison.OrdinalIgnoreCase) ? CodePoints.IsLoneWord : Find(name);

    private static Func<int, bool>? FindPosix(string key, bool bracket) => key switch
    {
        "ALNUM" => c => IsAlphabetic(c) || CodePoints.IsIn(c, Bit(UnicodeCategory.DecimalDigitNumber)),
        "ALPHA" or "ALPHABETIC" => IsAlphabetic,
        "BLANK" => c => c == '\t' || CodePoints.IsIn(c, Bit(UnicodeCategory.SpaceSeparator)),
        "CNTRL" => c => CodePoints.IsIn(c, Bit(UnicodeCategory.Control)),
        "DIGIT" => c => CodePoints.IsIn(c, Bit(UnicodeCategory.DecimalDigitNumber)),
        "GRAPH" => c => !CodePoints.IsWhiteSpace(c) && !CodePoints.IsIn(c, Bit(UnicodeCategory.Control)
            | Bit(UnicodeCategory.OtherNotAssigned) | Bit(UnicodeCategory.Surrogate)),
        "PRINT" => c => !CodePoints.IsIn(c, Bit(UnicodeCategory.Control) | Bit(UnicodeCategory.OtherNotAssigned)
            | Bit(UnicodeCategory.Surrogate) | Bit(UnicodeCategory.LineSeparator) | Bit(UnicodeCategory.ParagraphSeparator)),
        "LOWER" or "LOWERCASE" => c => CodePoints.IsIn(c, Bit(UnicodeCategory.LowercaseLetter)) || CodePointSets.OtherLowercase.Contains(c),
        "UPPER" or "UPPERCASE" => c => CodePoints.IsIn(c, Bit(UnicodeCategory.UppercaseLetter)) || CodePointSets.OtherUppercase.Contains(c),

        // As a bracket, [:punct:], it has the symbols as well.
        "PUNCT" => c => CodePoints.IsIn(c, bracket ? CodePoints.Punctuation | CodePoints.Symbol : CodePoints.Punctuation),
        "SPACE" or "WHITESPACE" => CodePoints.IsWhiteSpace,
        "XDIGIT" => IsHexDigit,
        "WORD" => CodePoints.IsWord,
        "ASCII" => c => c < 128,
        "ANY" => _ => true,
        "ASSIGNED" => c => !CodePoints.IsIn(c, Bit(UnicodeCategory.OtherNotAssigned)),
        _ => null,
    };

    public static bool IsHexDigit(int c) => c < 128 && char.IsAsciiHexDigit((char)c);

    private static bool IsAlphabetic(int c) =>
        CodePoints.IsIn(c, CodePoints.Letter | Bit(UnicodeCategory.LetterNumber)) || CodePointSets.OtherAlphabetic.Contains(c);

    private static uint Bit(UnicodeCategory category) => 1u << (int)category;
}
