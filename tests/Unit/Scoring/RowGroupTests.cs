using Sway.Inference;

namespace Sway.Unit.Scoring;

public sealed class RowGroupTests
{
    [Fact]
    public void Few_rows_of_all_views_pass_together() =>
        RowGroup.Of(Parts((5, -1), (3, 0), (4, -1)), 2, 24).ShouldBe([new RowGroup(0, 24)]);

    [Fact]
    public void Many_rows_pass_view_by_view_in_parts_of_about_the_same_size() =>
        RowGroup.Of(Parts((5, -1), (5, -1), (5, -1), (5, -1)), 2, 15).ShouldBe([new(0, 10), new(10, 10), new(20, 10), new(30, 10)]);

    [Fact]
    public void Sequences_that_begin_alike_stay_together_however_many()
    {
        // The fourth goes on from the first, so nothing between them can be cut off.
        RowGroup.Of(Parts((5, -1), (9, 0), (2, -1), (1, 0), (7, -1)), 1, 4).ShouldBe([new(0, 17), new(17, 7)]);
    }

    [Fact]
    public void Any_batch_is_divided_whole_and_only_between_trees()
    {
        var random = new Random(3);
        for (int round = 0; round < 500; round++)
        {
            var shape = new (int, int)[random.Next(1, 12)];
            for (int i = 0; i < shape.Length; i++)
            {
                shape[i] = (random.Next(1, 9), random.Next(3) > 0 ? -1 : random.Next(-1, i));
            }

            SequencePart[] parts = Parts(shape);
            (int views, int limit) = (random.Next(1, 4), random.Next(1, 60));
            RowGroup[] groups = RowGroup.Of(parts, views, limit);
            int tokens = parts.Sum(part => part.Tokens.Length);
            int next = 0;
            foreach (RowGroup group in groups)
            {
                group.First.ShouldBe(next);
                group.Count.ShouldBeGreaterThan(0);
                next += group.Count;
                if (groups.Length > 1)
                {
                    (group.First / tokens).ShouldBe((group.First + group.Count - 1) / tokens);
                }
            }

            next.ShouldBe(tokens * views);
            int Of(int part) => Array.FindIndex(groups, group => parts.Take(part).Sum(p => p.Tokens.Length) is var row && row >= group.First && row < group.First + group.Count);
            for (int i = 0; i < parts.Length; i++)
            {
                if (parts[i].Parent >= 0)
                {
                    Of(i).ShouldBe(Of(parts[i].Parent));
                }
            }
        }
    }

    private static SequencePart[] Parts(params (int Tokens, int Parent)[] shape) =>
        [.. shape.Select(part => new SequencePart(new int[part.Tokens], 0, part.Tokens, null, part.Parent))];
}
