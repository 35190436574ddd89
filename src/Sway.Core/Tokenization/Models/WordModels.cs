using Sway.Tokenization.Unicode;

namespace Sway.Tokenization.Models;

/// <summary>WordPiece (BERT): the longest known prefix again and again; a word with an unknown rest is unknown as a whole.</summary>
internal sealed class WordPieceModel(Vocabulary vocabulary, string unknownToken, string prefix, int longestWord) : IModel
{
    private readonly byte[] _prefix = System.Text.Encoding.UTF8.GetBytes(prefix);
    private readonly byte[] _unknown = System.Text.Encoding.UTF8.GetBytes(unknownToken);

    public Vocabulary Vocabulary { get; } = vocabulary;

    public bool IsBpe => false;

    public bool AcceptsByteLevel => false;

    public bool ShowsPieceText(int id) => false;

    public void Tokenize(PipelineState state, Piece piece)
    {
        var word = state.Text.Bytes[piece.Start..piece.End];
        var before = state.Bpe;
        before.Clear();
        var known = Utf8Text.CountCodePoints(word) <= longestWord;
        for (var start = 0; known && start < word.Length;)
        {
            var end = Longest(state, word, start, out var id);
            known = end > start;
            before.Add(id, end - start);
            start = end;
        }

        if (!known)
        {
            if (!Vocabulary.TryGetId(_unknown, out var unknown))
            {
                throw new TokenizationException("WordPiece error: the unknown token is not in the vocabulary, and the text needs it.");
            }

            state.Tokens.Add(unknown, state.Text.OriginStart(piece.Start), state.Text.OriginEnd(piece.End - 1));
            return;
        }

        var at = piece.Start;
        for (var i = 0; i < before.Count; i++)
        {
            var end = at + before.Lengths[i];
            state.Tokens.Add(before.Ids[i], state.Text.OriginStart(at), state.Text.OriginEnd(end - 1));
            at = end;
        }
    }

    private int Longest(PipelineState state, ReadOnlySpan<byte> word, int start, out int id)
    {
        var used = start > 0 ? _prefix.Length : 0;
        if (state.Bpe.Buffer.Length < used + word.Length)
        {
            state.Bpe.Buffer = new byte[2 * (used + word.Length)];
        }

        var buffer = state.Bpe.Buffer;
        _prefix.AsSpan(0, used).CopyTo(buffer);
        word[start..].CopyTo(buffer.AsSpan(used));
        for (var end = word.Length; end > start; end = Utf8Text.PreviousStart(word, end))
        {
            if (Vocabulary.TryGetId(buffer.AsSpan(0, used + end - start), out id))
            {
                return end;
            }
        }

        id = -1;
        return start;
    }
}

/// <summary>WordLevel: a word is a token or unknown.</summary>
internal sealed class WordLevelModel(Vocabulary vocabulary, string unknownToken) : IModel
{
    private readonly byte[] _unknown = System.Text.Encoding.UTF8.GetBytes(unknownToken);

    public Vocabulary Vocabulary { get; } = vocabulary;

    public bool IsBpe => false;

    public bool AcceptsByteLevel => false;

    public bool ShowsPieceText(int id) => false;

    public void Tokenize(PipelineState state, Piece piece)
    {
        if (!Vocabulary.TryGetId(state.Text.Bytes[piece.Start..piece.End], out var id)
            && !Vocabulary.TryGetId(_unknown, out id))
        {
            throw new TokenizationException("WordLevel error: the unknown token is not in the vocabulary, and the text needs it.");
        }

        state.Tokens.Add(id, state.Text.OriginStart(piece.Start), state.Text.OriginEnd(piece.End - 1));
    }
}
