using Sway.Tokenization.Patterns;
using Sway.Tokenization.Unicode;

namespace Sway.Tokenization.PreTokenization;

/// <summary>When Metaspace puts its sign in front.</summary>
internal enum PrependScheme
{
    First,
    Never,
    Always,
}

/// <summary>SentencePiece's spaces: a sign for each space, perhaps one in front, perhaps a split before each.</summary>
internal sealed class MetaspacePreTokenizer : IPreTokenizer
{
    private readonly byte[] _sign;
    private readonly PrependScheme _scheme;
    private readonly SplitPreTokenizer? _split;

    public MetaspacePreTokenizer(int sign, PrependScheme scheme, bool split)
    {
        Span<byte> buffer = stackalloc byte[4];
        _sign = buffer[..Utf8Text.Encode(sign, buffer)].ToArray();
        _scheme = scheme;
        _split = split
            ? new SplitPreTokenizer(new LiteralPattern(char.ConvertFromUtf32(sign)), SplitBehavior.MergedWithNext)
            : null;
    }

    public void Apply(PipelineState state)
    {
        ByteLevelPreTokenizer.Materialize(state);
        state.Rewrite(Rewrite);
        if (_split is not null)
        {
            state.Split(_split.SplitPiece);
        }
    }

    private void Rewrite(PipelineState state, Piece piece, AlignedText target)
    {
        var text = state.Text;
        var bytes = text.Bytes[piece.Start..piece.End];
        if (bytes.IsEmpty)
        {
            return;
        }

        var begins = bytes[0] == ' ' || bytes.StartsWith(_sign);
        if (!begins && (_scheme == PrependScheme.Always || (_scheme == PrependScheme.First && piece.OriginStart == 0)))
        {
            target.Append(_sign, text.OriginStart(piece.Start), text.OriginEnd(piece.Start));
        }

        for (var at = 0; at < bytes.Length;)
        {
            var space = bytes[at..].IndexOf((byte)' ');
            var end = space < 0 ? bytes.Length : at + space;
            target.AppendRange(text, piece.Start + at, piece.Start + end);
            if (space >= 0)
            {
                target.Append(_sign, text.OriginStart(piece.Start + end), text.OriginEnd(piece.Start + end));
                end++;
            }

            at = end;
        }
    }
}
