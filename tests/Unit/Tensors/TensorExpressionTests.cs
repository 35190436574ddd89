using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Tensors;

public sealed class TensorExpressionTests
{
    [Fact]
    public void A_transpose_exchanges_rows_and_columns() =>
        MemoryTensor.Range(2, 3).Transpose().ToSingleArray().ShouldBe([0, 3, 1, 4, 2, 5]);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 5)]
    [InlineData(8, 8)]
    [InlineData(16, 129)]
    [InlineData(130, 67)]
    public void Transposes_of_every_word_size_keep_the_words(int rows, int columns)
    {
        foreach ((DType dtype, int size) in ((DType, int)[])[(DType.U8, 1), (DType.BF16, 2), (DType.F32, 4), (DType.F64, 8)])
        {
            byte[] bytes = new byte[rows * columns * size];
            new Random(7).NextBytes(bytes);
            var view = new TensorView(new MemoryTensor("t", bytes), dtype, [rows, columns]);
            byte[] transposed = view.Transpose().ToBytes();
            for (int r = 0; r < rows; r++)
            {
                for (int c = 0; c < columns; c++)
                {
                    transposed.AsSpan(((c * rows) + r) * size, size)
                        .SequenceEqual(bytes.AsSpan(((r * columns) + c) * size, size)).ShouldBeTrue();
                }
            }
        }
    }

    [Fact]
    public void Rank_major_columns_of_packed_experts_come_out_per_expert()
    {
        // B (Y, r * E) with column j * E + e, as PEFT packs experts: Y = 2, r = 3, E = 4.
        TensorExpression packed = MemoryTensor.Range(2, 12);
        TensorExpression perExpert = packed.SplitAxis(1, 3).Permute(2, 0, 1);
        perExpert.Shape.ShouldBe([4, 2, 3]);
        perExpert.ToSingleArray()[..6].ShouldBe([0, 4, 8, 12, 16, 20]);
        perExpert.Index(0, 1).ToSingleArray().ShouldBe([1, 5, 9, 13, 17, 21]);
    }

    [Fact]
    public void Random_chains_of_operations_equal_the_same_operations_on_arrays()
    {
        var random = new Random(20261121);
        for (int round = 0; round < 400; round++)
        {
            (TensorExpression expression, Dense dense) = Start(random);
            for (int step = random.Next(1, 7); step > 0; step--)
            {
                (expression, dense) = Apply(random, expression, dense);
            }

            expression.Shape.ShouldBe(dense.Shape.Select(n => (long)n));
            expression.ToSingleArray().ShouldBe(dense.Values, $"round {round}");
            ReadInBlocks(expression, random).ShouldBe(dense.Values, $"round {round} in blocks");
        }
    }

    [Fact]
    public void Padding_adds_zeros_and_scaling_rounds_once_from_double()
    {
        TensorExpression padded = MemoryTensor.Range(2, 2).PadEnd(1, 3).PadEnd(0, 3);
        padded.ToSingleArray().ShouldBe([0, 1, 0, 2, 3, 0, 0, 0, 0]);
        padded.Scale(1.0 / 3).ToSingleArray()[1].ShouldBe((float)(1.0 / 3));
        MemoryTensor.Range(2, 2).ScaleAxis(0, [10, 100]).Transpose().ToSingleArray().ShouldBe([0, 200, 10, 300]);
    }

    private static float[] ReadInBlocks(TensorExpression expression, Random random)
    {
        if (expression.Rank == 0 || expression.Shape[0] == 0)
        {
            return expression.ToSingleArray();
        }

        var values = new List<float>();
        long step = random.Next(1, 4);
        for (long first = 0; first < expression.Shape[0]; first += step)
        {
            long[] start = new long[expression.Rank];
            long[] count = [.. expression.Shape];
            (start[0], count[0]) = (first, Math.Min(step, expression.Shape[0] - first));
            byte[] bytes = new byte[count.Aggregate(1L, (a, b) => a * b) * 4];
            expression.Read(start, count, bytes);
            values.AddRange(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes).ToArray());
        }

        return [.. values];
    }

    private static (TensorExpression Expression, Dense Dense) Start(Random random)
    {
        int[] shape = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => random.Next(1, 9))];
        float[] values = [.. Enumerable.Range(0, shape.Aggregate(1, (a, b) => a * b)).Select(_ => (float)random.Next(1000))];
        return (MemoryTensor.Of(values, [.. shape.Select(n => (long)n)]), new Dense(shape, values));
    }

    private static (TensorExpression Expression, Dense Dense) Apply(Random random, TensorExpression e, Dense d)
    {
        int axis = random.Next(d.Shape.Length);
        switch (random.Next(7))
        {
            case 0:
                int[] order = [.. Enumerable.Range(0, d.Shape.Length)];
                random.Shuffle(order);
                return (e.Permute(order), d.Permute(order));
            case 1 when d.Shape[axis] > 0:
                int start = random.Next(d.Shape[axis]);
                int step = random.Next(1, 3);
                int count = random.Next(1, ((d.Shape[axis] - start - 1) / step) + 2);
                return (e.Slice(axis, start, count, step), d.Slice(axis, start, count, step));
            case 2:
                int size = d.Shape[axis] + random.Next(0, 3);
                return (e.PadEnd(axis, size), d.Pad(axis, size));
            case 3:
                return (TensorExpression.Concatenate(axis, [e, e.Scale(2)]), d.Concat(axis, d.Scaled(2)));
            case 4 when d.Shape[axis] % 2 == 0 && d.Shape[axis] > 0:
                int[] split = [.. d.Shape[..axis], 2, d.Shape[axis] / 2, .. d.Shape[(axis + 1)..]];
                return (e.SplitAxis(axis, 2), d with { Shape = split });
            case 5:
                int at = random.Next(d.Shape.Length + 1);
                return (e.Unsqueeze(at), d with { Shape = [.. d.Shape[..at], 1, .. d.Shape[at..]] });
            default:
                return (e.Scale(3), d.Scaled(3));
        }
    }

    /// <summary>The plainest possible n-dimensional array: the truth that expressions are compared with.</summary>
    private sealed record Dense(int[] Shape, float[] Values)
    {
        public Dense Scaled(float factor) => this with { Values = [.. Values.Select(v => v * factor)] };

        public Dense Permute(int[] order) => Build([.. order.Select(a => Shape[a])], index =>
        {
            int[] source = new int[index.Length];
            for (int i = 0; i < order.Length; i++)
            {
                source[order[i]] = index[i];
            }

            return At(source);
        });

        public Dense Slice(int axis, int start, int count, int step) => Build(
            With(axis, count), index => At([.. index.Select((v, i) => i == axis ? start + (v * step) : v)]));

        public Dense Pad(int axis, int size) => Build(With(axis, size), index => index[axis] < Shape[axis] ? At(index) : 0);

        public Dense Concat(int axis, Dense other) => Build(
            With(axis, Shape[axis] + other.Shape[axis]),
            index => index[axis] < Shape[axis] ? At(index) : other.At([.. index.Select((v, i) => i == axis ? v - Shape[axis] : v)]));

        private int[] With(int axis, int size)
        {
            int[] shape = [.. Shape];
            shape[axis] = size;
            return shape;
        }

        private float At(int[] index)
        {
            int flat = 0;
            for (int i = 0; i < index.Length; i++)
            {
                flat = (flat * Shape[i]) + index[i];
            }

            return Values[flat];
        }

        private static Dense Build(int[] shape, Func<int[], float> value)
        {
            float[] values = new float[shape.Aggregate(1, (a, b) => a * b)];
            int[] index = new int[shape.Length];
            for (int flat = 0; flat < values.Length; flat++)
            {
                int rest = flat;
                for (int axis = shape.Length - 1; axis >= 0; axis--)
                {
                    index[axis] = rest % shape[axis];
                    rest /= shape[axis];
                }

                values[flat] = value(index);
            }

            return new Dense(shape, values);
        }
    }
}
