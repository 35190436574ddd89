using Sway.Inference.Cpu;
using Sway.Tensors;

namespace Sway.Unit.Scoring;

/// <summary>What products read ahead of themselves: interleaved rows, and the addresses of stored weights.</summary>
public sealed unsafe class RowInterleaveTests
{
    [Fact]
    public void Every_value_of_a_row_is_in_its_place_and_missing_rows_are_zeros()
    {
        foreach (int packed in (ReadOnlySpan<int>)[1, 3, 4, 6, 8, 12])
        {
            foreach (int depth in (ReadOnlySpan<int>)[1, 3, 4, 15, 16, 17, 35, 64, 100])
            {
                for (int rows = 1; rows <= packed; rows++)
                {
                    Check(rows, packed, depth, stride: depth);
                    Check(rows, packed, depth, stride: depth + 5);
                }
            }
        }
    }

    [Theory]
    [InlineData(100)]
    [InlineData(8)]
    [InlineData(5)]
    public void The_last_tiles_ask_for_the_weights_of_one_output_each(int tiles)
    {
        const int Inputs = 1536, Outputs = 40, Columns = 16;
        float[] weights = new float[Inputs * Outputs];
        fixed (float* data = weights)
        {
            var source = new DensePanels((byte*)data, DType.F32, Outputs, Inputs, transposed: false);
            var ahead = new WeightsAhead(source, 2..3, Columns, 768, tiles);
            int asked = 0;
            for (int tile = 0; tile < tiles; tile++)
            {
                WantedBytes next = ahead.Next();
                if (next.Address == null)
                {
                    // Outputs 32 to 39: the panel's second half is not there.
                    tile.ShouldBeLessThan(tiles - 8);
                    continue;
                }

                ((nint)next.Address).ShouldBe((nint)(data + ((32 + asked++) * Inputs) + 768));
                next.Length.ShouldBe(768 * sizeof(float));
            }

            asked.ShouldBe(Math.Min(tiles, 8));
        }
    }

    [Fact]
    public void Nothing_is_asked_for_where_the_weights_of_an_output_are_not_neighbours()
    {
        float[] weights = new float[64 * 32];
        fixed (float* data = weights)
        {
            var source = new DensePanels((byte*)data, DType.F32, 32, 64, transposed: true);
            var ahead = new WeightsAhead(source, 0..2, 16, 0, 32);
            for (int tile = 0; tile < 40; tile++)
            {
                (ahead.Next().Address == null).ShouldBeTrue();
            }
        }
    }

    private static void Check(int rows, int packed, int depth, int stride)
    {
        float[] source = [.. Enumerable.Range(1, ((rows - 1) * stride) + depth).Select(i => (float)i)];
        float[] result = new float[(packed * depth) + 16];
        Array.Fill(result, -1f);
        fixed (float* from = source, to = result)
        {
            RowInterleave.Run(from, stride, rows, packed, depth, to);
        }

        for (int k = 0; k < depth; k++)
        {
            for (int r = 0; r < packed; r++)
            {
                result[(k * packed) + r].ShouldBe(r < rows ? source[(r * stride) + k] : 0f);
            }
        }

        result.AsSpan(packed * depth).IndexOfAnyExcept(-1f).ShouldBe(-1);
    }
}
