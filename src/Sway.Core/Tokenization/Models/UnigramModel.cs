using Sway.Tokenization.Unicode;

namespace Sway.Tokenization.Models;

/// <summary>Unigram (SentencePiece): the segmentation with the highest sum of scores, by dynamic programming.</summary>
internal sealed class UnigramModel : IModel
{
    private const double UnknownPenalty = 10;

    private readonly double[] _scores;
    private readonly int _unknown;
    private readonly bool _byteFallback;
    private readonly double _unknownScore;
    private readonly Dictionary<long, int> _edges = [];
    private readonly List<int> _tokenOfNode = [-1];
    private readonly int[] _fallbackTokens = new int[256];

    /// <summary>Token i has score i; <paramref name="unknown"/> is -1 when the file names none.</summary>
    public UnigramModel(Vocabulary vocabulary, double[] scores, int unknown, bool byteFallback)
    {
        Vocabulary = vocabulary;
        _scores = scores;
        _unknown = unknown;
        _byteFallback = byteFallback;
        _unknownScore = (scores.Length == 0 ? double.PositiveInfinity : scores.Min()) - UnknownPenalty;
        for (var entry = 0; entry < vocabulary.Count; entry++)
        {
            Insert(vocabulary.EntryText(entry), vocabulary.EntryId(entry));
        }

        for (var b = 0; b < 256; b++)
        {
            _fallbackTokens[b] = vocabulary.TryGetId(System.Text.Encoding.UTF8.GetBytes($"<0x{b:X2}>"), out var id) ? id : -1;
        }
    }

    public Vocabulary Vocabulary { get; }

    public bool IsBpe => false;

    public bool AcceptsByteLevel => false;

    public bool ShowsPieceText(int id) => id == _unknown;

    public void Tokenize(PipelineState state, Piece piece)
    {
        var text = state.Text.Bytes[piece.Start..piece.End];
        var best = FindBestPath(text);

        // Walk back from the end, fusing neighbours that are unknown, then emit forwards.
        var bounds = new Stack<(int Start, int End)>();
        for (var end = text.Length; end > 0;)
        {
            var start = best[end].Start;
            if (best[end].Id == _unknown)
            {
                while (start > 0 && best[start].Id == _unknown)
                {
                    start = best[start].Start;
                }
            }

            bounds.Push((start, end));
            end = start;
        }

        foreach (var (start, end) in bounds)
        {
            Emit(state, piece.Start + start, piece.Start + end, text[start..end]);
        }
    }

    private void Emit(PipelineState state, int start, int end, ReadOnlySpan<byte> text)
    {
        var from = state.Text.OriginStart(start);
        var to = state.Text.OriginEnd(end - 1);
        if (Vocabulary.TryGetId(text, out var id))
        {
            state.Tokens.Add(id, from, to);
            return;
        }

        var complete = _byteFallback;
        foreach (var b in text)
        {
            complete = complete && _fallbackTokens[b] >= 0;
        }

        if (!complete)
        {
            state.Tokens.Add(_unknown, from, to);
            return;
        }

        foreach (var b in text)
        {
            state.Tokens.Add(_fallbackTokens[b], from, to);
        }
    }

    private Node[] FindBestPath(ReadOnlySpan<byte> text)
    {
        var best = new Node[text.Length + 1];
        for (var at = 0; at < text.Length;)
        {
            var width = Utf8Text.LengthOf(text[at]);
            var single = false;
            var node = 0;
            for (var end = at; end < text.Length && _edges.TryGetValue(((long)node << 8) | text[end], out node);)
            {
                end++;
                var id = _tokenOfNode[node];
                if (id >= 0)
                {
                    Improve(ref best[end], best[at].Score + _scores[id], at, id);
                    single |= end - at == width;
                }
            }

            if (!single)
            {
                if (_unknown < 0)
                {
                    throw new TokenizationException("The text has a character that is not in the vocabulary, and the model names no unk_id.");
                }

                Improve(ref best[at + width], best[at].Score + _unknownScore, at, _unknown);
            }

            at += width;
        }

        return best;
    }

    private static void Improve(ref Node node, double score, int start, int id)
    {
        if (!node.Reached || score > node.Score)
        {
            node = new Node(score, start, id, true);
        }
    }

    private void Insert(ReadOnlySpan<byte> token, int id)
    {
        var node = 0;
        foreach (var b in token)
        {
            var key = ((long)node << 8) | b;
            if (!_edges.TryGetValue(key, out var next))
            {
                next = _tokenOfNode.Count;
                _tokenOfNode.Add(-1);
                _edges[key] = next;
            }

            node = next;
        }

        if (node > 0)
        {
            _tokenOfNode[node] = id;
        }
    }

    private readonly record struct Node(double Score, int Start, int Id, bool Reached);
}
