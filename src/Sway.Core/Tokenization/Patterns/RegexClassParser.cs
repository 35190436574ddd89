using System.Globalization;
using Sway.Tokenization.Unicode;

namespace Sway.Tokenization.Patterns;

/// <summary>Reads bracket classes and the escapes that stand for classes or single characters.</summary>
internal static class RegexClassParser
{
    private const int MaximumDepth = 50;

    /// <summary>Reads a class whose opening bracket is already taken.</summary>
    public static CharacterSet Parse(int[] pattern, ref int at, bool ignoreCase) => Parse(pattern, ref at, ignoreCase, 0);

    private static CharacterSet Parse(int[] pattern, ref int at, bool ignoreCase, int depth)
    {
        if (depth > MaximumDepth)
        {
            throw new RegexSyntaxException("the character class is nested too deeply");
        }

        var negated = Peek(pattern, at) == '^';
        at += negated ? 1 : 0;
        var members = new List<Func<int, bool>>();
        var parts = new List<CharacterSet>();
        var first = true;
        while (true)
        {
            var c = Peek(pattern, at);
            if (c < 0)
            {
                throw new RegexSyntaxException("premature end of char-class");
            }

            if (c == ']' && !first)
            {
                at++;
                break;
            }

            first = false;
            if (c == '&' && Peek(pattern, at + 1) == '&')
            {
                at += 2;
                parts.Add(new CharacterSet(members, false, ignoreCase));
                members = [];
                continue;
            }

            ParseItem(pattern, ref at, members, ignoreCase, depth);
        }

        // a&&b&&c: the last part is the base, the earlier ones restrict it.
        return parts.Count == 0
            ? new CharacterSet(members, negated, ignoreCase)
            : new CharacterSet([new CharacterSet(members, false, ignoreCase).Contains], negated, false, parts);
    }

    private static void ParseItem(int[] pattern, ref int at, List<Func<int, bool>> members, bool ignoreCase, int depth)
    {
        if (pattern[at] == '[')
        {
            if (TryParsePosix(pattern, ref at, out var posix))
            {
                members.Add(posix);
                return;
            }

            at++;
            members.Add(Parse(pattern, ref at, ignoreCase, depth + 1).Contains);
            return;
        }

        if (pattern[at] == '\\')
        {
            at++;
            if (TryParseClassEscape(pattern, ref at, out var escaped, out var negatedEscape, bracket: true))
            {
                members.Add(new CharacterSet(escaped, negatedEscape).Contains);
                return;
            }

            AddRange(pattern, ref at, members, ParseCharacterEscape(pattern, ref at));
            return;
        }

        var low = pattern[at++];
        AddRange(pattern, ref at, members, low);
    }

    private static void AddRange(int[] pattern, ref int at, List<Func<int, bool>> members, int low)
    {
        var high = low;
        var next = Peek(pattern, at + 1);
        if (Peek(pattern, at) == '-' && next is not (']' or -1) && !IsClassStart(pattern, at + 1))
        {
            at++;
            high = pattern[at++];
            if (high == '\\')
            {
                high = ParseCharacterEscape(pattern, ref at);
            }

            if (high < low)
            {
                throw new RegexSyntaxException("empty range in char class");
            }
        }

        members.Add(c => c >= low && c <= high);
    }

    private static bool IsClassStart(int[] pattern, int at) =>
        pattern[at] == '[' || (pattern[at] == '\\' && Peek(pattern, at + 1) is 'd' or 'D' or 'w' or 'W' or 's' or 'S' or 'h' or 'H' or 'p' or 'P')
        || (pattern[at] == '&' && Peek(pattern, at + 1) == '&');

    private static bool TryParsePosix(int[] pattern, ref int at, out Func<int, bool> member)
    {
        member = static _ => false;
        if (Peek(pattern, at + 1) != ':')
        {
            return false;
        }

        var start = at + 2;
        var negated = Peek(pattern, start) == '^';
        start += negated ? 1 : 0;
        var end = start;
        while (Peek(pattern, end) is (>= 'a' and <= 'z') or (>= 'A' and <= 'Z'))
        {
            end++;
        }

        if (Peek(pattern, end) != ':' || Peek(pattern, end + 1) != ']')
        {
            return false;
        }

        var name = Text(pattern, start, end);
        var found = RegexClasses.Find(name, bracket: true) ?? throw new RegexSyntaxException("unknown bracket class " + name);
        at = end + 2;
        member = negated ? c => !found(c) : found;
        return true;
    }

    /// <summary>Reads an escape that stands for a class; the backslash is already taken.</summary>
    /// <param name="pattern">The code points of the regular expression.</param>
    /// <param name="at">The place after the backslash; moves past the escape.</param>
    /// <param name="members">Receives the class.</param>
    /// <param name="negated">Receives whether its complement is meant.</param>
    /// <param name="bracket">Whether the escape stands in brackets.</param>
    public static bool TryParseClassEscape(
        int[] pattern, ref int at, out Func<int, bool>[] members, out bool negated, bool bracket = false)
    {
        var c = Peek(pattern, at);
        negated = c is 'D' or 'W' or 'S' or 'H' or 'P';
        members = c switch
        {
            'd' or 'D' => [RegexClasses.Find("digit")!],
            'w' or 'W' => [bracket ? CodePoints.IsWord : CodePoints.IsLoneWord],
            's' or 'S' => [CodePoints.IsWhiteSpace],
            'h' or 'H' => [RegexClasses.IsHexDigit],
            _ => [],
        };
        if (members.Length > 0)
        {
            at++;
            return true;
        }

        if (c is not ('p' or 'P'))
        {
            return false;
        }

        if (Peek(pattern, at + 1) != '{')
        {
            throw new RegexSyntaxException("invalid character property name {" + (char)c + "}");
        }

        var start = at + 2;
        if (Peek(pattern, start) == '^')
        {
            negated = !negated;
            start++;
        }

        var end = start;
        while (Peek(pattern, end) is not ('}' or -1))
        {
            end++;
        }

        var name = Text(pattern, start, end);
        members = [(bracket ? RegexClasses.Find(name) : RegexClasses.FindLone(name)) ?? throw new RegexSyntaxException("invalid character property name {" + name + "}")];
        at = Math.Min(end + 1, pattern.Length);
        return Peek(pattern, end) == '}' ? true : throw new RegexSyntaxException("end pattern in property name");
    }

    /// <summary>Reads an escape that stands for one character; the backslash is already taken.</summary>
    public static int ParseCharacterEscape(int[] pattern, ref int at)
    {
        var c = Peek(pattern, at++);
        switch (c)
        {
            case -1:
                throw new RegexSyntaxException("end pattern at escape");
            case 't':
                return '\t';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 'f':
                return '\f';
            case 'v':
                return '\v';
            case 'a':
                return '\a';
            case 'b':
                return '\b';
            case 'e':
                return 0x1B;
            case 'x' when Peek(pattern, at) == '{':
                at++;
                var braced = ReadDigits(pattern, ref at, 16, 8);
                return Peek(pattern, at++) == '}' ? Checked(braced) : throw new RegexSyntaxException("invalid code point value");
            case 'x':
                return Checked(ReadDigits(pattern, ref at, 16, 2));
            case 'u':
                return Checked(ReadDigits(pattern, ref at, 16, 4));
            case >= '0' and <= '7':
                at--;
                return Checked(ReadDigits(pattern, ref at, 8, 3));
            default:
                return c;
        }
    }

    private static int Checked(long value) =>
        value is >= 0 and <= 0x10FFFF ? (int)value : throw new RegexSyntaxException("invalid code point value");

    private static long ReadDigits(int[] pattern, ref int at, int radix, int most)
    {
        long value = 0;
        for (var i = 0; i < most && DigitValue(Peek(pattern, at)) is var digit && digit >= 0 && digit < radix; i++)
        {
            value = (value * radix) + digit;
            at++;
        }

        return value;
    }

    private static int DigitValue(int c) => c is >= '0' and <= '9' ? c - '0'
        : c is >= 'a' and <= 'f' ? c - 'a' + 10 : c is >= 'A' and <= 'F' ? c - 'A' + 10 : -1;

    private static int Peek(int[] pattern, int at) => at >= 0 && at < pattern.Length ? pattern[at] : -1;

    private static string Text(int[] pattern, int start, int end) =>
        string.Concat(pattern.AsSpan(start, Math.Max(0, end - start)).ToArray().Select(char.ConvertFromUtf32).Take(64))
            .ToString(CultureInfo.InvariantCulture);
}
