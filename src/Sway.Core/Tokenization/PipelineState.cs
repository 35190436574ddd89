using Sway.Tokenization.Patterns;

namespace Sway.Tokenization;

/// <summary>The working memory of one encoding; pooled by the tokenizer, so that a text costs no allocation but its result.</summary>
internal sealed class PipelineState
{
    private List<Piece> _nextPieces = [];
    private readonly AlignedText[] _spares = [new(), new()];

    public AlignedText Original { get; } = new();

    public AlignedText Text { get; private set; } = new();

    /// <summary>A second text for normalizers, which work on one piece at a time.</summary>
    public AlignedText[] Segments { get; } = [new(), new()];

    public List<Piece> Pieces { get; private set; } = [];

    public List<TextSpan> Spans { get; } = [];

    /// <summary>The pieces are meant as seen through the GPT-2 byte alphabet, though the bytes are still raw.</summary>
    public bool ByteLevel { get; set; }

    public TokenSink Tokens { get; } = new();

    public Models.WordCache Cache { get; } = new();

    public Models.BpeScratch Bpe { get; } = new();

    /// <summary>Makes the original text the current one.</summary>
    public void Start(string text)
    {
        Original.SetIdentity(text);
        Text = Original;
        Pieces.Clear();
        Tokens.Clear();
        ByteLevel = false;
    }

    /// <summary>Replaces the pieces by those that <paramref name="split"/> adds for each piece that is not a token.</summary>
    public void Split(Action<PipelineState, Piece, List<Piece>> split)
    {
        _nextPieces.Clear();
        foreach (var piece in Pieces)
        {
            if (piece.IsToken)
            {
                _nextPieces.Add(piece);
            }
            else if (piece.End > piece.Start)
            {
                split(this, piece, _nextPieces);
            }
        }

        (Pieces, _nextPieces) = (_nextPieces, Pieces);
    }

    /// <summary>Rewrites the pieces into a fresh text; the action appends the new form of each piece.</summary>
    public void Rewrite(Action<PipelineState, Piece, AlignedText> rewrite)
    {
        var target = ReferenceEquals(Text, _spares[0]) ? _spares[1] : _spares[0];
        target.Clear();
        _nextPieces.Clear();
        foreach (var piece in Pieces)
        {
            var start = target.Length;
            if (piece.IsToken)
            {
                _nextPieces.Add(piece);
                continue;
            }

            rewrite(this, piece, target);
            _nextPieces.Add(piece with { Start = start, End = target.Length });
        }

        (Pieces, _nextPieces) = (_nextPieces, Pieces);
        Text = target;
    }
}
