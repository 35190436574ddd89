using System.Runtime.InteropServices;
using Sway.Tokenization.Patterns;

namespace Sway.Tokenization.PreTokenization;

/// <summary>What becomes of the matches of a splitting pattern.</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>Splits at the matches of a pattern; <c>invert</c> treats what lies between as the matches.</summary>
internal sealed class SplitPreTokenizer(ITextPattern pattern, SplitBehavior behavior, bool invert = false) : IPreTokenizer
{
    public void Apply(PipelineState state)
    {
        ByteLevelPreTokenizer.Materialize(state);
        state.Split(SplitPiece);
    }

    internal void SplitPiece(PipelineState state, Piece piece, List<Piece> pieces)
    {
        var spans = state.Spans;
        spans.Clear();
        pattern.FindSpans(state.Text.Bytes[piece.Start..piece.End], spans);
        if (behavior == SplitBehavior.MergedWithNext)
        {
            MergeWithNext(spans);
        }

        var previousMatch = false;
        var open = false;
        var (start, end) = (0, 0);
        foreach (ref readonly var span in CollectionsMarshal.AsSpan(spans))
        {
            var isMatch = span.IsMatch != invert;
            if (behavior == SplitBehavior.Removed && isMatch)
            {
                continue;
            }

            var joins = behavior switch
            {
                SplitBehavior.Contiguous => isMatch == previousMatch,
                SplitBehavior.MergedWithPrevious => isMatch && !previousMatch,
                _ => false,
            };
            previousMatch = isMatch;
            if (joins && open)
            {
                end = span.End;
                continue;
            }

            Add(state, piece, start, end, open, pieces);
            (start, end, open) = (span.Start, span.End, true);
        }

        Add(state, piece, start, end, open, pieces);
    }

    private static void Add(PipelineState state, Piece piece, int start, int end, bool open, List<Piece> pieces)
    {
        if (open && end > start)
        {
            pieces.Add(Piece.Text(state.Text, piece.Start + start, piece.Start + end));
        }
    }

    /// <summary>The library folds from the back: a match joins what follows unless that began with a match itself.</summary>
    private void MergeWithNext(List<TextSpan> spans)
    {
        var merged = new List<TextSpan>(spans.Count);
        var previousMatch = false;
        for (var i = spans.Count - 1; i >= 0; i--)
        {
            var isMatch = spans[i].IsMatch != invert;
            if (isMatch && !previousMatch && merged.Count > 0)
            {
                merged[^1] = merged[^1] with { Start = spans[i].Start };
            }
            else
            {
                merged.Add(spans[i]);
            }

            previousMatch = isMatch;
        }

        merged.Reverse();
        spans.Clear();
        spans.AddRange(merged);
    }
}
