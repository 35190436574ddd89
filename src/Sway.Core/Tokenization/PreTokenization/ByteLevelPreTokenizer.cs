using Sway.Tokenization.Models;
using Sway.Tokenization.Patterns;

namespace Sway.Tokenization.PreTokenization;

/// <summary>
/// GPT-2's byte level: an optional space in front, an optional split, then the byte alphabet. The alphabet is only noted in
/// the state; most models read raw bytes and the text is rewritten just for those steps that look at characters.
/// </summary>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool useRegex) : IPreTokenizer
{
    private static readonly SplitPreTokenizer s_split = new(new Gpt2Scanner(), SplitBehavior.Isolated);

    public void Apply(PipelineState state)
    {
        Materialize(state);
        if (addPrefixSpace && NeedsSpace(state))
        {
            state.Rewrite(static (state, piece, target) =>
            {
                if (piece.End > piece.Start && state.Text.Bytes[piece.Start] != ' ')
                {
                    target.Append(" "u8, state.Text.OriginStart(piece.Start), state.Text.OriginEnd(piece.Start));
                }

                target.AppendRange(state.Text, piece.Start, piece.End);
            });
        }

        if (useRegex)
        {
            state.Split(s_split.SplitPiece);
        }

        state.ByteLevel = true;
    }

    /// <summary>Writes the byte alphabet out, if a step before has noted it.</summary>
    public static void Materialize(PipelineState state)
    {
        if (!state.ByteLevel)
        {
            return;
        }

        state.ByteLevel = false;
        state.Rewrite(static (state, piece, target) =>
        {
            for (var at = piece.Start; at < piece.End; at++)
            {
                target.Append(ByteAlphabet.ToCharacter(state.Text.Bytes[at]), state.Text.OriginStart(at), state.Text.OriginEnd(at));
            }
        });
    }

    private static bool NeedsSpace(PipelineState state)
    {
        foreach (var piece in state.Pieces)
        {
            if (!piece.IsToken && piece.End > piece.Start && state.Text.Bytes[piece.Start] != ' ')
            {
                return true;
            }
        }

        return false;
    }
}
