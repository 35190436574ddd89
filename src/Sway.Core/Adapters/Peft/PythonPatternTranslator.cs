using System.Text;

namespace Sway.Adapters.Peft;

/// <summary>
/// Rewrites a regular expression of Python's re for .NET, token by token, where both mean the same; the rest is refused. The rules are
/// those of Python's documentation of re.
/// </summary>
internal sealed class PythonPatternTranslator
{
    private const string EscapedLetters = "AbBdDsSwWnrtfvax";

    private readonly string _key;
    private readonly StringBuilder _output = new();
    private int _at;
    private bool _named;
    private bool _numbered;
    private bool _ignoresCase;

    private PythonPatternTranslator(string key) => _key = key;

    /// <summary>The expression for .NET.</summary>
    /// <exception cref="ArgumentException">It has no exact form there.</exception>
    public static string Translate(string key) => new PythonPatternTranslator(key).Run();

    private string Run()
    {
        while (_at < _key.Length)
        {
            switch (_key[_at])
            {
                case '\\':
                    Escape(inClass: false);
                    break;
                case '[':
                    Class();
                    break;
                case '(' when Follows("(?"):
                    Group();
                    break;
                case '{':
                    Repetition();
                    break;
                default:
                    _output.Append(_key[_at++]);
                    break;
            }
        }

        // .NET numbers named groups after all others, Python in the order of their parentheses.
        if (_named && _numbered)
        {
            throw Foreign("a back-reference by number beside named groups");
        }

        // Beyond ASCII the two have different tables of letters that are equal but for case.
        return _ignoresCase && (!Ascii.IsValid(_key) || _key.Contains(@"\u", StringComparison.Ordinal) || _key.Contains(@"\x", StringComparison.Ordinal))
            ? throw Foreign("letters beyond ASCII under the flag i")
            : _output.ToString();
    }

    private bool Follows(string text) => _key.AsSpan(_at).StartsWith(text, StringComparison.Ordinal);

    private void Take(int length)
    {
        _output.Append(_key, _at, length);
        _at += length;
    }

    private void Escape(bool inClass)
    {
        char next = _at + 1 < _key.Length ? _key[_at + 1] : throw Foreign("a backslash at its end");
        if (next == 'Z' && !inClass)
        {
            // The very end in Python; before a last line feed, too, in .NET.
            _output.Append(@"\z");
            _at += 2;
            return;
        }

        if (char.IsAsciiDigit(next) && next != '0' && !inClass)
        {
            _numbered = true;
        }
        else if (char.IsAsciiLetter(next) && next != 'u' && !EscapedLetters.Contains(next, StringComparison.Ordinal))
        {
            throw Foreign($@"\{next}");
        }

        Take(2);
    }

    private void Class()
    {
        Take(1);
        if (Follows("^"))
        {
            Take(1);
        }

        // A bracket that closes at the first place stands for itself.
        for (bool first = true; first || !Follows("]"); first = false)
        {
            if (_at >= _key.Length)
            {
                throw Foreign("a set without end");
            }

            if (Follows("-["))
            {
                throw Foreign("a difference of sets, which .NET makes of -[");
            }

            if (_key[_at] == '\\')
            {
                Escape(inClass: true);
            }
            else
            {
                Take(1);
            }
        }

        Take(1);
    }

    private void Group()
    {
        int end;
        if (Follows("(?:") || Follows("(?=") || Follows("(?!"))
        {
            Take(3);
        }
        else if (Follows("(?<=") || Follows("(?<!"))
        {
            Take(4);
        }
        else if (Follows("(?P<") && (end = _key.IndexOf('>', _at)) > 0)
        {
            _named = true;
            _output.Append("(?<").Append(Name(_at + 4, end)).Append('>');
            _at = end + 1;
        }
        else if (Follows("(?P=") && (end = _key.IndexOf(')', _at)) > 0)
        {
            // In a group of its own, so that a digit behind it stays apart.
            _output.Append(@"(?:\k<").Append(Name(_at + 4, end)).Append(">)");
            _at = end + 1;
        }
        else
        {
            Flags();
        }
    }

    private string Name(int start, int end)
    {
        string name = _key[start..end];
        return name.Length > 0 && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')
            ? name
            : throw Foreign($"a group with the name '{name}'");
    }

    // (?i) for all that follows, only at the very start, and (?i-m:...) for a part. Of the flags those that mean the same in both.
    private void Flags()
    {
        int at = _at + 2;
        int minus = -1;
        while (at < _key.Length && (_key[at] is 'i' or 'm' or 's' || (_key[at] == '-' && minus < 0 && at + 1 < _key.Length && _key[at + 1] is 'i' or 'm' or 's')))
        {
            minus = _key[at] == '-' ? at : minus;
            _ignoresCase |= _key[at] == 'i';
            at++;
        }

        bool some = at > _at + 2 && at < _key.Length;
        bool scoped = some && _key[at] == ':';
        bool global = some && _key[at] == ')' && minus < 0 && _at == 0;
        if (!scoped && !global)
        {
            throw Foreign($"the group '{_key.AsSpan(_at, Math.Min(6, _key.Length - _at))}'");
        }

        Take(at + 1 - _at);
    }

    // {,n} counts from 0 in Python; .NET takes it for plain text.
    private void Repetition()
    {
        int end = _at + 1;
        while (end < _key.Length && (char.IsAsciiDigit(_key[end]) || _key[end] == ','))
        {
            end++;
        }

        bool counts = end < _key.Length && _key[end] == '}' && _key.AsSpan(_at, end - _at).Count(',') == 1;
        if (counts && _key[_at + 1] == ',')
        {
            _output.Append("{0");
            _at++;
        }
        else
        {
            Take(1);
        }
    }

    private ArgumentException Foreign(string what) => new($"the pattern {_key} has {what}, which is not read as Python reads it");
}
