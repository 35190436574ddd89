using System.Buffers;

namespace Sway.Tokenization;

/// <summary>Finds added tokens: the leftmost match, and of those at one place the longest.</summary>
internal sealed class TokenTrie
{
    private readonly Dictionary<long, int> _edges = [];
    private readonly List<int> _values = [-1];
    private readonly SearchValues<byte> _firstBytes;

    public TokenTrie(IReadOnlyList<(byte[] Text, int Id)> patterns)
    {
        foreach (var (text, id) in patterns)
        {
            var node = 0;
            foreach (var b in text)
            {
                var key = ((long)node << 8) | b;
                if (!_edges.TryGetValue(key, out var next))
                {
                    next = _values.Count;
                    _values.Add(-1);
                    _edges[key] = next;
                }

                node = next;
            }

            if (node > 0)
            {
                _values[node] = id;
            }
        }

        _firstBytes = SearchValues.Create([.. patterns.Where(p => p.Text.Length > 0).Select(p => p.Text[0]).Distinct()]);
    }

    public bool TryFind(ReadOnlySpan<byte> text, int from, out int start, out int end, out int id)
    {
        (end, id) = (0, -1);
        for (start = from; ; start++)
        {
            var skipped = text[start..].IndexOfAny(_firstBytes);
            if (skipped < 0)
            {
                return false;
            }

            start += skipped;
            var node = 0;
            for (var at = start; at < text.Length && _edges.TryGetValue(((long)node << 8) | text[at], out node); at++)
            {
                if (_values[node] >= 0)
                {
                    (end, id) = (at + 1, _values[node]);
                }
            }

            if (id >= 0)
            {
                return true;
            }
        }
    }
}
