using System.Globalization;

namespace Sway.Tokenization.Patterns;

/// <summary>
/// Reads the Oniguruma dialect that tokenizer.json uses (https://github.com/kkos/oniguruma/blob/master/doc/RE): possessive
/// <c>?+ *+ ++</c> but repeated <c>{n,m}+</c>, <c>{,n}</c>, class intersection, POSIX brackets, line anchors.
/// </summary>
internal sealed partial class RegexParser
{
    private const int MaximumDepth = 100;
    private const int MaximumRepeat = 100_000;

    private readonly int[] _pattern;
    private int _at;
    private int _depth;
    private bool _ignoreCase;
    private bool _dotAll;
    private bool _extended;

    private RegexParser(string pattern)
    {
        _pattern = [.. pattern.EnumerateRunes().Select(r => r.Value)];
    }

    public static RegexNode Parse(string pattern)
    {
        var parser = new RegexParser(pattern);
        var node = parser.ParseAlternatives();
        return parser._at == parser._pattern.Length ? node : throw new RegexSyntaxException("unmatched close parenthesis");
    }

    private bool AtEnd => _at >= _pattern.Length;

    private int Peek(int ahead = 0) => _at + ahead < _pattern.Length ? _pattern[_at + ahead] : -1;

    private bool Take(int codePoint)
    {
        if (Peek() != codePoint)
        {
            return false;
        }

        _at++;
        return true;
    }

    private bool TakeText(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (Peek(i) != text[i])
            {
                return false;
            }
        }

        _at += text.Length;
        return true;
    }

    private RegexNode ParseAlternatives()
    {
        if (++_depth > MaximumDepth)
        {
            throw new RegexSyntaxException("the pattern is nested too deeply");
        }

        var alternatives = new List<RegexNode> { ParseSequence() };
        while (Take('|'))
        {
            alternatives.Add(ParseSequence());
        }

        _depth--;
        return alternatives.Count == 1 ? alternatives[0] : new AlternativesNode(alternatives);
    }

    private RegexNode ParseSequence()
    {
        var items = new List<RegexNode>();
        while (!AtEnd && Peek() != '|' && Peek() != ')')
        {
            if (_extended && SkipExtended())
            {
                continue;
            }

            var atom = ParseAtom();
            if (atom is not null)
            {
                items.Add(ParseQuantifiers(atom));
            }
        }

        return items.Count == 1 ? items[0] : new SequenceNode(items);
    }

    private bool SkipExtended()
    {
        if (Peek() == '#')
        {
            while (!AtEnd && Peek() != '\n')
            {
                _at++;
            }

            return true;
        }

        if (Peek() is ' ' or '\t' or '\n' or '\r' or '\f' or '\v')
        {
            _at++;
            return true;
        }

        return false;
    }

    private RegexNode? ParseAtom()
    {
        var c = _pattern[_at++];
        switch (c)
        {
            case '(':
                return ParseGroup();
            case '[':
                return new SetNode(RegexClassParser.Parse(_pattern, ref _at, _ignoreCase));
            case '.':
                return new SetNode(_dotAll ? RegexClasses.Any : RegexClasses.NotNewline);
            case '^':
                return new AnchorNode(AnchorKind.LineStart);
            case '$':
                return new AnchorNode(AnchorKind.LineEnd);
            case '\\':
                return ParseEscape();
            case '*' or '+' or '?':
                throw new RegexSyntaxException("target of repeat operator is not specified");
            case '{' when TryReadInterval(out _, out _):
                throw new RegexSyntaxException("target of repeat operator is not specified");
            default:
                return new SetNode(CharacterSet.Of(c, _ignoreCase));
        }
    }

    private RegexNode ParseEscape()
    {
        if (AtEnd)
        {
            throw new RegexSyntaxException("end pattern at escape");
        }

        AnchorKind? anchor = Peek() switch
        {
            'A' => AnchorKind.TextStart,
            'z' => AnchorKind.TextEnd,
            'Z' => AnchorKind.TextEndOrLastNewline,
            'G' => AnchorKind.SearchStart,
            'b' => AnchorKind.WordBoundary,
            'B' => AnchorKind.NotWordBoundary,
            _ => null,
        };
        if (anchor is { } kind)
        {
            _at++;
            return new AnchorNode(kind);
        }

        switch (Peek())
        {
            case 'R':
                _at++;
                return RegexClasses.LineBreak;
            case 'N':
                _at++;
                return new SetNode(RegexClasses.NotNewline);
            case 'O':
                _at++;
                return new SetNode(RegexClasses.Any);
            case >= '1' and <= '9' or 'k' or 'g' or 'K' or 'X' or 'y' or 'Y':
                throw new RegexSyntaxException(string.Create(
                    CultureInfo.InvariantCulture, $"\\{(char)Peek()} (references, calls, keep, text segments) is not supported"));
        }

        return RegexClassParser.TryParseClassEscape(_pattern, ref _at, out var members, out var negated)
            ? new SetNode(new CharacterSet(members, negated))
            : new SetNode(CharacterSet.Of(RegexClassParser.ParseCharacterEscape(_pattern, ref _at), _ignoreCase));
    }
}
