using System.Text;

namespace Sway.Adapters.Megatron;

/// <summary>
/// Reads the YAML that PyYAML's <c>yaml.dump</c> writes in block style, which is what <c>run_config.yaml</c> is: mappings and
/// sequences by indentation, plain and quoted scalars on one or several lines, the tag <c>!!set</c>, anchors. Anything else
/// in a place that is read is an error. A YAML library would have to live in a load context of its own, because another
/// module's copy in the same PowerShell process collides with it; this subset is small enough to read strictly.
/// </summary>
internal sealed class YamlReader
{
    private const int MaximumLength = 8 << 20;
    private const int MaximumDepth = 64;

    private readonly string _path;
    private readonly List<(int Indent, string Content)> _lines = [];
    private int _next;

    private YamlReader(string path, string text)
    {
        _path = path;
        foreach (string raw in text.Split('\n'))
        {
            string line = raw.TrimEnd('\r', ' ');
            string content = line.TrimStart(' ');
            if (content.Length > 0 && content[0] != '#' && content is not ("---" or "..."))
            {
                _lines.Add(content[0] != '\t' ? (line.Length - content.Length, content) : throw Damaged("indents with a tab"));
            }
        }
    }

    /// <summary>Reads a file whose top level is a mapping.</summary>
    /// <exception cref="AdapterFormatException">The file is not of this subset.</exception>
    public static YamlNode Read(string path)
    {
        long length = new FileInfo(path).Length;
        if (length > MaximumLength)
        {
            throw new AdapterFormatException($"{path} has {length} bytes; a run's configuration is smaller.") { Path = path };
        }

        string text;
        try
        {
            text = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path));
        }
        catch (DecoderFallbackException e)
        {
            throw new AdapterFormatException($"{path} is not UTF-8.", e) { Path = path };
        }

        var reader = new YamlReader(path, text.TrimStart('\uFEFF'));
        YamlNode root = reader._lines.Count > 0 && reader._lines[0].Indent == 0 ? reader.ReadBlock(0, 0) : throw reader.Damaged("holds no mapping");
        return reader._next == reader._lines.Count && root.Fields.Count > 0 ? root : throw reader.Damaged("is no mapping at its top level");
    }

    private YamlNode ReadBlock(int indent, int depth)
    {
        if (depth > MaximumDepth)
        {
            throw Damaged($"nests deeper than {MaximumDepth}");
        }

        string first = _lines[_next].Content;
        return IsItem(first) ? ReadSequence(indent, depth) : SplitKey(first) is null ? ReadScalar(NextContent(), indent - 1) : ReadMapping(indent, depth);
    }

    private YamlNode ReadSequence(int indent, int depth)
    {
        var items = new List<YamlNode>();
        while (_next < _lines.Count && _lines[_next].Indent == indent && IsItem(_lines[_next].Content))
        {
            string content = _lines[_next].Content;
            string rest = content.Length > 1 ? content[2..].TrimStart(' ') : "";
            int inner = indent + content.Length - rest.Length;
            if (rest.Length == 0)
            {
                _next++;
                items.Add(ReadNested(indent, depth));
            }
            else if (IsItem(rest) || SplitKey(rest) is not null)
            {
                // The item's own block starts on the dash's line.
                _lines[_next] = (inner, rest);
                items.Add(ReadBlock(inner, depth + 1));
            }
            else
            {
                _next++;
                items.Add(ReadScalar(rest, indent));
            }
        }

        return new YamlNode { Items = items };
    }

    private YamlNode ReadMapping(int indent, int depth)
    {
        var fields = new Dictionary<string, YamlNode>(StringComparer.Ordinal);
        while (_next < _lines.Count && _lines[_next].Indent == indent && !IsItem(_lines[_next].Content))
        {
            string content = NextContent();
            (string key, string value) = SplitKey(content) ?? throw Damaged($"has the line '{Shorten(content)}', which is no field");
            YamlNode node = ReadValue(value, indent, depth);
            if (!fields.TryAdd(key, node))
            {
                throw Damaged($"has the field {Shorten(key)} twice");
            }
        }

        if (_next < _lines.Count && _lines[_next].Indent > indent)
        {
            throw Damaged($"has the line '{Shorten(_lines[_next].Content)}' at an indentation that belongs to nothing");
        }

        return new YamlNode { Fields = fields };
    }

    private YamlNode ReadValue(string value, int indent, int depth)
    {
        if (value.StartsWith('&'))
        {
            int space = value.IndexOf(' ', StringComparison.Ordinal);
            value = space < 0 ? "" : value[(space + 1)..].TrimStart(' ');
        }

        if (value == "!!set")
        {
            value = "";
        }

        return value.Length == 0 ? ReadNested(indent, depth) : ReadScalar(value, indent);
    }

    // A sequence may stand at its key's own indentation; a mapping is deeper.
    private YamlNode ReadNested(int indent, int depth)
    {
        if (_next == _lines.Count)
        {
            return YamlNode.Empty;
        }

        (int inner, string content) = _lines[_next];
        return inner > indent || (inner == indent && IsItem(content) && indent >= 0) ? ReadBlock(inner, depth + 1) : YamlNode.Empty;
    }

    private YamlNode ReadScalar(string value, int indent)
    {
        var text = new StringBuilder(value);
        while (_next < _lines.Count && _lines[_next].Indent > indent && !IsClosed(text))
        {
            if (!"'\"[{*!|>".Contains(text[0], StringComparison.Ordinal) && SplitKey(_lines[_next].Content) is not null)
            {
                throw Damaged($"has the field '{Shorten(_lines[_next].Content)}' under a value");
            }

            text.Append(' ').Append(NextContent());
        }

        string whole = text.ToString();
        return whole switch
        {
            "null" or "~" => YamlNode.Empty,
            "[]" or "{}" => YamlNode.Empty,
            _ when whole[0] is '\'' or '"' => new YamlNode { Text = Unquote(whole) },
            _ when whole[0] is '[' or '{' or '*' or '!' or '|' or '>' or '&' or '%' or '@' or '`' => new YamlNode { IsOpaque = true },
            _ => new YamlNode { Text = whole },
        };
    }

    private static bool IsClosed(StringBuilder text) => text.Length > 1 && text[0] is '\'' or '"' && text[^1] == text[0];

    private string Unquote(string text)
    {
        char quote = text[0];
        if (text.Length < 2 || text[^1] != quote)
        {
            throw Damaged($"has the unfinished text {Shorten(text)}");
        }

        string inner = text[1..^1];
        if (quote == '\'')
        {
            return inner.Replace("''", "'", StringComparison.Ordinal);
        }

        return inner.Contains('\\', StringComparison.Ordinal)
            ? inner.Replace("\\\"", "\"", StringComparison.Ordinal).Replace("\\\\", "\\", StringComparison.Ordinal)
            : inner;
    }

    private static bool IsItem(string content) => content is "-" || content.StartsWith("- ", StringComparison.Ordinal);

    // "key: value", "key:" and quoted keys; a colon inside quotes or without a space belongs to the text.
    private static (string Key, string Value)? SplitKey(string content)
    {
        int from = 0;
        if (content[0] is '\'' or '"')
        {
            from = content.IndexOf(content[0], 1);
            if (from < 0)
            {
                return null;
            }
        }
        else if (content[0] is '[' or '{')
        {
            return null;
        }

        int colon = content.IndexOf(": ", from, StringComparison.Ordinal);
        if (colon < 0 && content[^1] == ':')
        {
            colon = content.Length - 1;
        }

        if (colon < 0)
        {
            return null;
        }

        string key = content[..colon];
        if (from > 0)
        {
            if (colon != from + 1)
            {
                return null;
            }

            key = key[1..^1];
        }

        return (key, content[(colon + 1)..].TrimStart(' '));
    }

    private string NextContent() => _lines[_next++].Content;

    private static string Shorten(string text) => text.Length <= 60 ? text : text[..60] + "...";

    private AdapterFormatException Damaged(string what) => new($"{_path} {what}.") { Path = _path };
}
