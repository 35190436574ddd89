using Sway.Tokenization.Models;
using Sway.Tokenization.Normalization;
using Sway.Tokenization.Unicode;

namespace Sway.Tokenization;

/// <summary>The added tokens and how they are cut out: those marked normalized from the normalized text, the others before.</summary>
internal sealed class AddedVocabulary(Vocabulary vocabulary, INormalizer? normalizer, bool splitSpecial)
{
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly Dictionary<int, AddedToken> _tokens = [];
    private readonly Dictionary<int, string> _normalizedForms = [];
    private readonly HashSet<string> _special = new(StringComparer.Ordinal);
    private TokenTrie? _plain;
    private TokenTrie? _normalized;

    public int Count => _ids.Keys.Count(content => !IsInVocabulary(content));

    public IReadOnlyDictionary<int, AddedToken> Tokens => _tokens;

    public bool IsSpecial(string content) => _special.Contains(content);

    public bool TryGetId(string content, out int id) => _ids.TryGetValue(content, out id);

    /// <summary>What a token marked normalized looks like after the normalizer, if that differs; decoders work on this form.</summary>
    public string? NormalizedForm(int id) => _normalizedForms.GetValueOrDefault(id);

    /// <summary>Adds tokens in order; the ids a file states are not trusted: the vocabulary's id, else the next free one.</summary>
    public void Add(IEnumerable<AddedToken> tokens)
    {
        var next = _tokens.Count == 0 ? vocabulary.Count : Math.Max(_tokens.Keys.Max() + 1, vocabulary.Count);
        foreach (var token in tokens)
        {
            if (token.Content.Length == 0)
            {
                continue;
            }

            if (!_ids.TryGetValue(token.Content, out var id)
                && !vocabulary.TryGetId(System.Text.Encoding.UTF8.GetBytes(token.Content), out id))
            {
                id = next++;
            }

            _ids[token.Content] = id;
            _tokens[id] = token;
            _normalizedForms.Remove(id);
            if (token.Normalized && Normalize(token.Content) is var form && !string.Equals(form, token.Content, StringComparison.Ordinal))
            {
                _normalizedForms[id] = form;
            }

            if (token.Special)
            {
                _special.Add(token.Content);
            }
        }
    }

    /// <summary>Builds the search tries; to be called once after the last <see cref="Add"/>.</summary>
    public void Seal()
    {
        _plain = BuildTrie(normalized: false);
        _normalized = BuildTrie(normalized: true);
    }

    /// <summary>Cuts the added tokens out of the state's text and normalizes what is left.</summary>
    public void ExtractAndNormalize(PipelineState state)
    {
        if (state.Text.Length == 0)
        {
            return;
        }

        Extract(state, new Piece(0, state.Text.Length, -1, 0, 0), _plain, state.Pieces);
        if (normalizer is not null && !normalizer.Leaves(state.Original.Bytes))
        {
            state.Rewrite(Normalize);
        }

        if (_normalized is not null || normalizer is not null)
        {
            state.Split((s, piece, pieces) => Extract(s, piece, _normalized, pieces));
        }
    }

    private bool IsInVocabulary(string content) => vocabulary.TryGetId(System.Text.Encoding.UTF8.GetBytes(content), out _);

    private void Normalize(PipelineState state, Piece piece, AlignedText target)
    {
        var (before, after) = (state.Segments[0], state.Segments[1]);
        before.Clear();
        before.AppendRange(state.Text, piece.Start, piece.End);
        after.Clear();
        normalizer!.Normalize(before, after);
        target.AppendRange(after, 0, after.Length);
    }

    private string Normalize(string content)
    {
        if (normalizer is null)
        {
            return content;
        }

        var source = new AlignedText();
        source.SetIdentity(content);
        var target = new AlignedText();
        target.Clear();
        normalizer.Normalize(source, target);
        return System.Text.Encoding.UTF8.GetString(target.Bytes);
    }

    private TokenTrie? BuildTrie(bool normalized)
    {
        var patterns = _tokens.Where(t => t.Value.Normalized == normalized)
            .Select(t => (System.Text.Encoding.UTF8.GetBytes(_normalizedForms.GetValueOrDefault(t.Key, t.Value.Content)), t.Key))
            .ToList();
        return patterns.Count == 0 ? null : new TokenTrie(patterns);
    }

    private void Extract(PipelineState state, Piece piece, TokenTrie? trie, List<Piece> pieces)
    {
        var text = state.Text.Bytes[piece.Start..piece.End];
        var done = 0;
        var from = 0;
        while (trie is not null && trie.TryFind(text, from, out var start, out var end, out var id))
        {
            from = end;
            var token = _tokens[id];
            if ((splitSpecial && _special.Contains(token.Content)) || (token.SingleWord && !StandsAlone(text, start, end)))
            {
                continue;
            }

            if (token.LeftStrip)
            {
                start = Math.Max(SpaceBefore(text, start), done);
            }

            if (token.RightStrip)
            {
                end = SpaceAfter(text, end);
            }

            AddText(state, piece.Start + done, piece.Start + start, pieces);
            done = end;
            if (start >= end)
            {
                // All of it was white space that the token before has taken.
                continue;
            }

            pieces.Add(new Piece(
                piece.Start + start, piece.Start + end, id,
                state.Text.OriginStart(piece.Start + start), state.Text.OriginEnd(piece.Start + end - 1)));
        }

        AddText(state, piece.Start + done, piece.End, pieces);
    }

    private static void AddText(PipelineState state, int start, int end, List<Piece> pieces)
    {
        if (start < end)
        {
            pieces.Add(Piece.Text(state.Text, start, end));
        }
    }

    private static bool StandsAlone(ReadOnlySpan<byte> text, int start, int end) =>
        (start == 0 || !CodePoints.IsWordOrJoiner(Utf8Text.DecodeBefore(text, start, out _)))
        && (end == text.Length || !CodePoints.IsWordOrJoiner(Utf8Text.Decode(text, end, out _)));

    private static int SpaceBefore(ReadOnlySpan<byte> text, int at)
    {
        while (at > 0 && CodePoints.IsWhiteSpace(Utf8Text.DecodeBefore(text, at, out var length)))
        {
            at -= length;
        }

        return at;
    }

    private static int SpaceAfter(ReadOnlySpan<byte> text, int at)
    {
        while (at < text.Length && CodePoints.IsWhiteSpace(Utf8Text.Decode(text, at, out var length)))
        {
            at += length;
        }

        return at;
    }
}
