using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Sway.IO;

/// <summary>What <see cref="JsonTokens"/> stands at; of a whole value, what it is.</summary>
internal enum JsonKind
{
    None,
    Object,
    EndObject,
    Array,
    EndArray,
    Name,
    String,
    Number,
    True,
    False,
    Null,
}

/// <summary>
/// Reads strict JSON (RFC 8259) token by token, the language that <see cref="Utf8JsonReader"/> reads by default. That one takes longer
/// to start than all else that looking at an adapter needs; this one has nothing to start, and leaves to it only the wording of errors.
/// </summary>
internal ref struct JsonTokens
{
    /// <summary>The deepest nesting that can be asked for.</summary>
    public const int DeepestNesting = 64;

    private readonly ReadOnlySpan<byte> _json;
    private readonly int _maximumDepth;

    // One bit for each open container, the innermost the lowest: set for an object.
    private ulong _objects;
    private int _depth;
    private int _at;
    private Expected _expected = Expected.Value;
    private int _textStart;
    private int _textEnd;
    private bool _hasEscapes;

    public JsonTokens(ReadOnlySpan<byte> json, int maximumDepth)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(maximumDepth, DeepestNesting);
        _json = json;
        _maximumDepth = maximumDepth;
    }

    private enum Expected
    {
        Value,
        FirstOrEnd,
        CommaOrEnd,
        Colon,
        Nothing,
    }

    /// <summary>The token.</summary>
    public JsonKind Kind { get; private set; }

    /// <summary>Where the token begins, in bytes.</summary>
    public int Start { get; private set; }

    /// <summary>Where the token ends, in bytes.</summary>
    public readonly int End => _at;

    /// <summary>Goes to the next token; false when the text has ended as it should.</summary>
    /// <exception cref="JsonException">The text is not JSON, or nested too deeply.</exception>
    public bool Read()
    {
        SkipSpace();
        if (_expected == Expected.Nothing)
        {
            return _at == _json.Length ? false : throw Invalid();
        }

        if (_expected == Expected.Colon)
        {
            Take((byte)':');
            SkipSpace();
            ReadValue(Peek());
            return true;
        }

        bool inObject = _depth > 0 && (_objects & 1) != 0;
        bool afterComma = false;
        if (_expected == Expected.CommaOrEnd && Peek() == ',')
        {
            _at++;
            SkipSpace();
            afterComma = true;
        }

        if (_expected != Expected.Value && !afterComma && Peek() == (inObject ? '}' : ']'))
        {
            Start = _at++;
            Kind = inObject ? JsonKind.EndObject : JsonKind.EndArray;
            _objects >>= 1;
            _depth--;
            AfterValue();
        }
        else if (_expected == Expected.CommaOrEnd && !afterComma)
        {
            throw Invalid();
        }
        else if (inObject)
        {
            ReadText(JsonKind.Name);
            _expected = Expected.Colon;
        }
        else
        {
            ReadValue(Peek());
        }

        return true;
    }

    /// <summary>The text of a name or string.</summary>
    /// <exception cref="InvalidOperationException">It is not valid Unicode.</exception>
    public readonly string GetString()
    {
        ReadOnlySpan<byte> raw = _json[_textStart.._textEnd];
        if (!Utf8.IsValid(raw))
        {
            throw Invalid();
        }

        return _hasEscapes ? Unescape(raw) : Encoding.UTF8.GetString(raw);
    }

    /// <summary>The number, where it is written as a whole one that fits.</summary>
    public readonly bool TryGetInt64(out long value) =>
        Utf8Parser.TryParse(_json[Start.._at], out value, out int used) && used == _at - Start;

    private void ReadValue(byte first)
    {
        switch (first)
        {
            case (byte)'{' or (byte)'[':
                if (_depth == _maximumDepth)
                {
                    throw Invalid();
                }

                Start = _at++;
                Kind = first == '{' ? JsonKind.Object : JsonKind.Array;
                _objects = (_objects << 1) | (first == '{' ? 1UL : 0);
                _depth++;
                _expected = Expected.FirstOrEnd;
                return;
            case (byte)'"':
                ReadText(JsonKind.String);
                break;
            case (byte)'t':
                ReadWord("true"u8, JsonKind.True);
                break;
            case (byte)'f':
                ReadWord("false"u8, JsonKind.False);
                break;
            case (byte)'n':
                ReadWord("null"u8, JsonKind.Null);
                break;
            default:
                ReadNumber();
                break;
        }

        AfterValue();
    }

    private void AfterValue() => _expected = _depth == 0 ? Expected.Nothing : Expected.CommaOrEnd;

    private void ReadWord(ReadOnlySpan<byte> word, JsonKind kind)
    {
        Start = _at;
        Kind = kind;
        foreach (byte letter in word)
        {
            Take(letter);
        }
    }

    private void ReadNumber()
    {
        Start = _at;
        Kind = JsonKind.Number;
        if (Next() == '-')
        {
            _at++;
        }

        if (Next() == '0')
        {
            _at++;
        }
        else
        {
            TakeDigits();
        }

        if (Next() == '.')
        {
            _at++;
            TakeDigits();
        }

        if (Next() is 'e' or 'E')
        {
            _at++;
            if (Next() is '+' or '-')
            {
                _at++;
            }

            TakeDigits();
        }

        if (Next() is not (-1 or ' ' or '\t' or '\r' or '\n' or ',' or ']' or '}'))
        {
            throw Invalid();
        }
    }

    private void TakeDigits()
    {
        if (!IsDigit(Next()))
        {
            throw Invalid();
        }

        while (IsDigit(Next()))
        {
            _at++;
        }
    }

    private void ReadText(JsonKind kind)
    {
        Start = _at;
        Kind = kind;
        Take((byte)'"');
        _textStart = _at;
        _hasEscapes = false;
        while (true)
        {
            byte c = Peek();
            if (c == '"')
            {
                _textEnd = _at++;
                return;
            }

            if (c < ' ')
            {
                throw Invalid();
            }

            _at++;
            if (c == '\\')
            {
                _hasEscapes = true;
                SkipEscape();
            }
        }
    }

    private void SkipEscape()
    {
        byte escape = Peek();
        if (escape is not ((byte)'"' or (byte)'\\' or (byte)'/' or (byte)'b' or (byte)'f' or (byte)'n' or (byte)'r' or (byte)'t' or (byte)'u'))
        {
            throw Invalid();
        }

        _at++;
        for (int i = 0; escape == 'u' && i < 4; i++)
        {
            if (!char.IsAsciiHexDigit((char)Peek()))
            {
                throw Invalid();
            }

            _at++;
        }
    }

    private readonly string Unescape(ReadOnlySpan<byte> raw)
    {
        var text = new StringBuilder(raw.Length);
        for (int i = 0; i < raw.Length;)
        {
            if (raw[i] != '\\')
            {
                int length = raw[i..].IndexOf((byte)'\\');
                ReadOnlySpan<byte> plain = length < 0 ? raw[i..] : raw.Slice(i, length);
                text.Append(Encoding.UTF8.GetString(plain));
                i += plain.Length;
                continue;
            }

            byte escape = raw[i + 1];
            text.Append(escape switch
            {
                (byte)'b' => '\b',
                (byte)'f' => '\f',
                (byte)'n' => '\n',
                (byte)'r' => '\r',
                (byte)'t' => '\t',
                (byte)'u' => (char)((Hex(raw[i + 2]) << 12) | (Hex(raw[i + 3]) << 8) | (Hex(raw[i + 4]) << 4) | Hex(raw[i + 5])),
                _ => (char)escape,
            });
            i += escape == 'u' ? 6 : 2;
        }

        string result = text.ToString();
        for (int i = 0; i < result.Length; i++)
        {
            if (char.IsSurrogate(result[i]) && (i + 1 == result.Length || !char.IsSurrogatePair(result[i], result[++i])))
            {
                throw Invalid();
            }
        }

        return result;
    }

    private static int Hex(byte digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;

    private static bool IsDigit(int c) => c is >= '0' and <= '9';

    private readonly int Next() => _at < _json.Length ? _json[_at] : -1;

    private readonly byte Peek() => _at < _json.Length ? _json[_at] : throw Invalid();

    private void Take(byte wanted)
    {
        if (Peek() != wanted)
        {
            throw Invalid();
        }

        _at++;
    }

    private void SkipSpace()
    {
        while (_at < _json.Length && _json[_at] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
        {
            _at++;
        }
    }

    // The library's reader says what is wrong, and where.
    private readonly Exception Invalid()
    {
        try
        {
            var reader = new Utf8JsonReader(_json, new JsonReaderOptions { MaxDepth = _maximumDepth });
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String)
                {
                    reader.GetString();
                }
            }
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException)
        {
            return problem;
        }

        return new JsonException($"it is not JSON at byte {_at}");
    }
}
