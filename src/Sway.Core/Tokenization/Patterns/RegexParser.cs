using System.Globalization;

namespace Sway.Tokenization.Patterns;

/// <summary>
/// Reads the Oniguruma dialect that tokenizer.json uses (https://github.com/kkos/oniguruma/blob/master/doc/RE): possessive
/// <c>?+ *+ ++</c> but repeated <c>{n,m}+</c>, <c>{,n}</c>, class intersection, POSIX brackets, line anchors.
/// </summary>
internal sealed class RegexParser
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

    private RegexNode ParseQuantifiers(RegexNode atom)
    {
        var wrapped = 0;
        while (!AtEnd)
        {
            int minimum, maximum;
            var interval = false;
            if (Take('*'))
            {
                (minimum, maximum) = (0, int.MaxValue);
            }
            else if (Take('+'))
            {
                (minimum, maximum) = (1, int.MaxValue);
            }
            else if (Take('?'))
            {
                (minimum, maximum) = (0, 1);
            }
            else if (Peek() == '{')
            {
                var start = _at++;
                if (!TryReadInterval(out minimum, out maximum))
                {
                    _at = start;
                    return atom;
                }

                interval = true;
            }
            else
            {
                return atom;
            }

            if (++wrapped > MaximumDepth)
            {
                throw new RegexSyntaxException("too many repeat operators in a row");
            }

            atom = WithMode(atom, minimum, maximum, interval);
        }

        return atom;
    }

    private RepeatNode WithMode(RegexNode atom, int minimum, int maximum, bool interval)
    {
        if (interval && minimum == maximum && Take('?'))
        {
            return new RepeatNode(new RepeatNode(atom, minimum, maximum, RepeatMode.Greedy), 0, 1, RepeatMode.Greedy);
        }

        var mode = Take('?') ? RepeatMode.Lazy : !interval && Take('+') ? RepeatMode.Possessive : RepeatMode.Greedy;
        return new RepeatNode(atom, minimum, maximum, mode);
    }

    /// <summary>Reads what follows <c>{</c>; when it is no interval the position is restored and the brace is a literal.</summary>
    private bool TryReadInterval(out int minimum, out int maximum)
    {
        var start = _at;
        var low = ReadNumber();
        var comma = Take(',');
        var high = comma ? ReadNumber() : low;
        minimum = Math.Max(low, 0);
        maximum = comma && high < 0 ? int.MaxValue : high;
        if ((low < 0 && (!comma || high < 0)) || !Take('}'))
        {
            _at = start;
            return false;
        }

        if (minimum > maximum)
        {
            (minimum, maximum) = (maximum, minimum);
        }

        if (minimum > MaximumRepeat || (maximum > MaximumRepeat && maximum != int.MaxValue))
        {
            throw new RegexSyntaxException("too big number in repeat range");
        }

        return true;
    }

    private int ReadNumber()
    {
        var value = -1;
        while (Peek() is >= '0' and <= '9')
        {
            value = Math.Min((Math.Max(value, 0) * 10) + Peek() - '0', MaximumRepeat + 1);
            _at++;
        }

        return value;
    }

    private RegexNode? ParseGroup()
    {
        if (!Take('?'))
        {
            return CloseGroup(body => body);
        }

        if (Take('#'))
        {
            while (!AtEnd && Peek() != ')')
            {
                _at++;
            }

            return Take(')') ? null : throw new RegexSyntaxException("end pattern in group");
        }

        return TakeText(":") ? CloseGroup(body => body)
            : TakeText("=") ? CloseGroup(body => new LookNode(body, false, false))
            : TakeText("!") ? CloseGroup(body => new LookNode(body, false, true))
            : TakeText(">") ? CloseGroup(body => new AtomicNode(body))
            : TakeText("<=") ? CloseGroup(body => new LookNode(body, true, false))
            : TakeText("<!") ? CloseGroup(body => new LookNode(body, true, true))
            : Peek() == '<' ? ParseNamedGroup()
            : ParseOptions();
    }

    private RegexNode ParseNamedGroup()
    {
        var start = ++_at;
        while (!AtEnd && Peek() != '>')
        {
            _at++;
        }

        return _at > start && Take('>') ? CloseGroup(body => body) : throw new RegexSyntaxException("group name is empty or not closed");
    }

    private RegexNode CloseGroup(Func<RegexNode, RegexNode> wrap)
    {
        var (ignoreCase, dotAll, extended) = (_ignoreCase, _dotAll, _extended);
        var body = ParseAlternatives();
        if (!Take(')'))
        {
            throw new RegexSyntaxException("end pattern with unmatched parenthesis");
        }

        (_ignoreCase, _dotAll, _extended) = (ignoreCase, dotAll, extended);
        return wrap(body);
    }

    /// <summary><c>(?i)</c> holds to the end of its group, alternatives included; <c>(?i:...)</c> for its own body.</summary>
    private RegexNode ParseOptions()
    {
        var (ignoreCase, dotAll, extended) = (_ignoreCase, _dotAll, _extended);
        var on = true;
        while (Peek() is not (')' or ':'))
        {
            switch (AtEnd ? -1 : _pattern[_at++])
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    ignoreCase = on;
                    break;
                case 'm':
                    dotAll = on;
                    break;
                case 'x':
                    extended = on;
                    break;
                default:
                    throw new RegexSyntaxException("undefined group option");
            }
        }

        var saved = (_ignoreCase, _dotAll, _extended);
        (_ignoreCase, _dotAll, _extended) = (ignoreCase, dotAll, extended);
        if (Take(')'))
        {
            var rest = ParseAlternatives();
            return rest;
        }

        _at++;
        var body = ParseAlternatives();
        if (!Take(')'))
        {
            throw new RegexSyntaxException("end pattern with unmatched parenthesis");
        }

        (_ignoreCase, _dotAll, _extended) = saved;
        return body;
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
