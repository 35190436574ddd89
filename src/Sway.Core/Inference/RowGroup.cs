namespace Sway.Inference;

/// <summary>Neighbouring rows of a batch that pass a layer together.</summary>
/// <param name="First">The first row.</param>
/// <param name="Count">Number of rows.</param>
internal readonly record struct RowGroup(int First, int Count)
{
    /// <summary>
    /// Divides a batch: into one group where all views together have few rows, so that they share what is done once for the weights; else
    /// view by view and into parts of about the same size, so that what lies between two operations stays in cache. Sequences that begin
    /// alike stay together.
    /// </summary>
    /// <param name="parts">The sequences of a view.</param>
    /// <param name="views">Number of views.</param>
    /// <param name="limit">Rows that a group should not exceed.</param>
    public static RowGroup[] Of(IReadOnlyList<SequencePart> parts, int views, int limit)
    {
        var rows = parts.Sum(part => part.Tokens.Length);
        if ((long)rows * views <= limit)
        {
            return [new RowGroup(0, rows * views)];
        }

        var size = (rows + Pieces(rows, limit) - 1) / Pieces(rows, limit);
        var groups = new List<RowGroup>();
        for (var view = 0; view < views; view++)
        {
            groups.Add(new RowGroup(view * rows, 0));
            var (at, next) = (view * rows, 0);
            foreach (var end in Trees(parts))
            {
                var tokens = 0;
                for (; next < end; next++)
                {
                    tokens += parts[next].Tokens.Length;
                }

                if (groups[^1].Count > 0 && groups[^1].Count + tokens > size)
                {
                    groups.Add(new RowGroup(at, 0));
                }

                groups[^1] = groups[^1] with { Count = groups[^1].Count + tokens };
                at += tokens;
            }
        }

        return [.. groups];
    }

    private static int Pieces(int rows, int limit) => Math.Max(1, (int)((rows + (long)limit - 1) / limit));

    // Where the runs of sequences end that no later one goes on from.
    private static List<int> Trees(IReadOnlyList<SequencePart> parts)
    {
        var ends = new List<int>();
        var oldest = int.MaxValue;
        for (var i = parts.Count; i > 0; i--)
        {
            if (oldest >= i)
            {
                ends.Add(i);
            }

            oldest = parts[i - 1].Parent < 0 ? oldest : Math.Min(oldest, parts[i - 1].Parent);
        }

        ends.Reverse();
        return ends;
    }
}
