using Sway.Tensors;

namespace Sway.Conversion.Mlx;

/// <summary>
/// Rank components whose second factor is zero for every expert. PEFT writes them when it fuses the factors of two projections into one
/// module of the doubled rank: after the rows are split again, half of the components of each projection are zero. They add nothing to the
/// delta, exactly, but mlx-lm's one rank would be the doubled one.
/// </summary>
internal static class ZeroComponents
{
    private const long PieceElements = 1 << 18;

    /// <summary>Leaves the components out that are zero. Stops reading as soon as every component has shown a number.</summary>
    /// <param name="a">(experts, rank, in).</param>
    /// <param name="b">(experts, out, rank).</param>
    public static (TensorExpression A, TensorExpression B) Drop(TensorExpression a, TensorExpression b)
    {
        int rank = checked((int)b.Shape[2]);
        bool[] used = Used(b, rank);
        int[] kept = [.. Enumerable.Range(0, rank).Where(k => used[k])];

        // Zero times NaN is NaN: such a component is kept, so that writing it is refused.
        return kept.Length is 0 || kept.Length == rank || !Enumerable.Range(0, rank).Where(k => !used[k]).All(k => IsFinite(a.Slice(1, k, 1)))
            ? (a, b)
            : (Take(a, 1, kept), Take(b, 2, kept));
    }

    private static bool[] Used(TensorExpression b, int rank)
    {
        bool[] used = new bool[rank];
        int open = rank;
        long step = Math.Max(1, PieceElements / Math.Max(rank, 1));
        for (long expert = 0; expert < b.Shape[0] && open > 0; expert++)
        {
            TensorExpression one = b.Index(0, expert);
            for (long row = 0; row < one.Shape[0] && open > 0; row += step)
            {
                double[] piece = one.Slice(0, row, Math.Min(step, one.Shape[0] - row)).ToDoubleArray();
                for (int i = 0; i < piece.Length; i++)
                {
                    if (piece[i] != 0 && !used[i % rank])
                    {
                        used[i % rank] = true;
                        open--;
                    }
                }
            }
        }

        return used;
    }

    private static bool IsFinite(TensorExpression component)
    {
        for (long expert = 0; expert < component.Shape[0]; expert++)
        {
            if (!Array.TrueForAll(component.Slice(0, expert, 1).ToDoubleArray(), double.IsFinite))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Neighbours are taken in one slice, so that a half of all components stays a plain view.</summary>
    private static TensorExpression Take(TensorExpression value, int axis, int[] kept)
    {
        var parts = new List<TensorExpression>();
        for (int i = 0; i < kept.Length;)
        {
            int run = 1;
            while (i + run < kept.Length && kept[i + run] == kept[i] + run)
            {
                run++;
            }

            parts.Add(value.Slice(axis, kept[i], run));
            i += run;
        }

        return TensorExpression.Concatenate(axis, parts);
    }
}
