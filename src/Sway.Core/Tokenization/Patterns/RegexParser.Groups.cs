namespace Sway.Tokenization.Patterns;

/// <summary>Groups: plain, named, atomic, looking ahead and behind, comments, options.</summary>
internal sealed partial class RegexParser
{
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
}
