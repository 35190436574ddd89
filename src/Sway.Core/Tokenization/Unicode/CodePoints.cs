using System.Globalization;
using System.Runtime.CompilerServices;

namespace Sway.Tokenization.Unicode;

/// <summary>
/// Properties of code points as the reference library's regular expressions see them: .NET 10 carries the same Unicode 16
/// general categories as Oniguruma does, independent of the machine's ICU.
/// </summary>
internal static class CodePoints
{
    public const uint Letter = 0b11111;
    public const uint Mark = 1u << (int)UnicodeCategory.NonSpacingMark | 1u << (int)UnicodeCategory.SpacingCombiningMark
        | 1u << (int)UnicodeCategory.EnclosingMark;
    public const uint Number = 1u << (int)UnicodeCategory.DecimalDigitNumber | 1u << (int)UnicodeCategory.LetterNumber
        | 1u << (int)UnicodeCategory.OtherNumber;
    public const uint Punctuation = 1u << (int)UnicodeCategory.ConnectorPunctuation | 1u << (int)UnicodeCategory.DashPunctuation
        | 1u << (int)UnicodeCategory.OpenPunctuation | 1u << (int)UnicodeCategory.ClosePunctuation
        | 1u << (int)UnicodeCategory.InitialQuotePunctuation | 1u << (int)UnicodeCategory.FinalQuotePunctuation
        | 1u << (int)UnicodeCategory.OtherPunctuation;
    public const uint Symbol = 1u << (int)UnicodeCategory.MathSymbol | 1u << (int)UnicodeCategory.CurrencySymbol
        | 1u << (int)UnicodeCategory.ModifierSymbol | 1u << (int)UnicodeCategory.OtherSymbol;
    public const uint Separator = 1u << (int)UnicodeCategory.SpaceSeparator | 1u << (int)UnicodeCategory.LineSeparator
        | 1u << (int)UnicodeCategory.ParagraphSeparator;
    public const uint Other = 1u << (int)UnicodeCategory.Control | 1u << (int)UnicodeCategory.Format
        | 1u << (int)UnicodeCategory.Surrogate | 1u << (int)UnicodeCategory.PrivateUse
        | 1u << (int)UnicodeCategory.OtherNotAssigned;

    private static readonly byte[] s_categories = BuildBasicPlane();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Category(int codePoint) =>
        codePoint < 0x10000 ? s_categories[codePoint] : (int)CharUnicodeInfo.GetUnicodeCategory(codePoint);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsIn(int codePoint, uint categories) => (categories >> Category(codePoint) & 1) != 0;

    /// <summary>The White_Space property.</summary>
    public static bool IsWhiteSpace(int codePoint) => codePoint switch
    {
        < 0x80 => codePoint is ' ' or (>= 9 and <= 13),
        0x85 or 0xA0 or 0x1680 or 0x2028 or 0x2029 or 0x202F or 0x205F or 0x3000 => true,
        _ => codePoint is >= 0x2000 and <= 0x200A,
    };

    /// <summary>The categories of numbers as of Unicode 17, which the Digits pre-tokenizer of the library goes by.</summary>
    public static bool IsNumeric(int codePoint) =>
        IsIn(codePoint, Number) || codePoint is (>= 0x11DE0 and <= 0x11DE9) or (>= 0x16FF4 and <= 0x16FF6);

    public static bool IsAsciiPunctuation(int codePoint) =>
        codePoint is (>= 33 and <= 47) or (>= 58 and <= 64) or (>= 91 and <= 96) or (>= 123 and <= 126);

    /// <summary>A word character of <c>[\w]</c>: alphabetic, mark, decimal digit or connector punctuation.</summary>
    public static bool IsWord(int codePoint) =>
        codePoint < 0x80
            ? codePoint == '_' || char.IsAsciiLetterOrDigit((char)codePoint)
            : IsIn(codePoint, Letter | Mark | 1u << (int)UnicodeCategory.LetterNumber
                | 1u << (int)UnicodeCategory.DecimalDigitNumber | 1u << (int)UnicodeCategory.ConnectorPunctuation)
              || IsEnclosedLetter(codePoint);

    /// <summary>
    /// The word character of <c>\w</c> outside of brackets and of <c>\b</c>: for Latin-1 the library's regular expressions then ask a
    /// table that counts its superscript digits and fractions.
    /// </summary>
    public static bool IsLoneWord(int codePoint) =>
        IsWord(codePoint) || codePoint is 0xB2 or 0xB3 or 0xB9 or (>= 0xBC and <= 0xBE);

    /// <summary>The word character of added tokens with <c>single_word</c>, which counts the joiners as well.</summary>
    public static bool IsWordOrJoiner(int codePoint) => codePoint is 0x200C or 0x200D || IsWord(codePoint);

    private static bool IsEnclosedLetter(int codePoint) => codePoint is (>= 0x24B6 and <= 0x24E9)
        or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    private static byte[] BuildBasicPlane()
    {
        var table = new byte[0x10000];
        for (var i = 0; i < table.Length; i++)
        {
            table[i] = (byte)CharUnicodeInfo.GetUnicodeCategory(i);
        }

        return table;
    }
}
