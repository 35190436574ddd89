namespace Sway.Tokenization.Patterns;

/// <summary>Repeat operators: <c>* + ?</c> and intervals, each greedy, lazy or possessive.</summary>
internal sealed partial class RegexParser
{
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
}
