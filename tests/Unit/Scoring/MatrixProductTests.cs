using System.Runtime.InteropServices;
using Sway.Inference;
using Sway.Inference.Cpu;
using Sway.Tensors;

namespace Sway.Unit.Scoring;

/// <summary>Products in every stored form against sums in the documented order, bit by bit.</summary>
public sealed unsafe class MatrixProductTests
{
    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    [InlineData(DType.U32)]
    public void Every_element_is_one_chain_for_each_block_of_k(DType dtype)
    {
        var random = new Random(7);
        (int Rows, int Inputs, int Outputs)[] shapes = dtype == DType.U32
            ? [(1, 64, 40), (5, 320, 33), (1, 544, 96), (29, 256, 64), (14, 832, 70), (1, 1600, 40)]
            : [(1, 512, 96), (1, 37, 5), (1, 300, 70), (2, 256, 32), (5, 259, 33), (13, 577, 100), (60, 64, 31), (1100, 33, 40), (25, 1537, 170), (1, 800, 64)];
        foreach ((int rows, int inputs, int outputs) in shapes)
        {
            foreach (bool transposed in dtype == DType.U32 ? (bool[])[false] : [false, true])
            {
                foreach (int threads in (ReadOnlySpan<int>)[1, 2])
                {
                    Check(random, dtype, rows, inputs, outputs, transposed, threads);
                }
            }
        }
    }

    [Theory]
    [InlineData(8, 64, 1)]
    [InlineData(576, 576, 1)]
    [InlineData(768, 768, 1)]
    [InlineData(832, 448, 2)]
    [InlineData(1536, 768, 2)]
    [InlineData(2048, 768, 3)]
    [InlineData(4096, 768, 6)]
    public void Blocks_of_k_follow_from_the_inputs_alone_and_divide_no_group(int inputs, int length, int count)
    {
        MatrixProduct.BlockLength(inputs).ShouldBe(length);
        ((inputs + length - 1) / length).ShouldBe(count);
    }

    [Theory]
    [InlineData(40, 50, 70, 3, 0, 40)]
    [InlineData(40, 50, 70, 3, 7, 20)]
    [InlineData(40, 50, 200, 17, 11, 14)]
    [InlineData(26, 50, 64, 40, 12, 12)]
    [InlineData(25, 50, 33, 8, 24, 1)]
    [InlineData(1, 50, 100, 8, 0, 1)]
    [InlineData(1, 50, 7, 800, 0, 1)]
    [InlineData(1000, 50, 160, 8, 500, 500)]
    [InlineData(1000, 50, 160, 8, 504, 496)]
    [InlineData(48, 850, 128, 4, 0, 48)]
    [InlineData(50, 850, 128, 4, 24, 26)]
    [InlineData(30, 2500, 96, 790, 12, 18)]
    [InlineData(31, 40, 8, 5, 0, 31)]
    [InlineData(31, 40, 13, 5, 12, 13)]
    public void An_update_goes_on_with_the_chains_of_its_rows_alone(int rows, int inputs, int outputs, int rank, int first, int count)
    {
        var random = new Random(9);
        float[] x = Numbers(random, rows * inputs), w = Numbers(random, outputs * inputs), a = Numbers(random, rank * inputs);
        int offset = outputs > 64 ? GemmKernel.Best.Columns : 0;
        float[] b = Numbers(random, (outputs - offset) * rank);
        foreach (int threads in (ReadOnlySpan<int>)[1, 2])
        {
            using var pool = new BufferPool();
            using var workers = new WorkerPool(threads);
            using var tensor = new CpuTensor(pool, rows, inputs);
            x.CopyTo(tensor.Span);
            float[] y = new float[rows * outputs];
            fixed (float* pw = w, pa = a, pb = b, py = y)
            {
                var term = new LowRankTerm
                {
                    A = new CpuMatrix(new DensePanels((byte*)pa, DType.F32, rank, inputs, transposed: false)),
                    B = new CpuMatrix(new DensePanels((byte*)pb, DType.F32, outputs - offset, rank, transposed: false)),
                    Scaling = 0.5,
                    FirstOutput = offset,
                };
                DeltaRange range = new(first, count, new LinearDelta { Terms = [term] }, 0.75);
                using FusedTerms terms = FusedTerms.Compute(pool, workers, tensor, [range]);
                terms.Updates.Length.ShouldBe(1);
                var weights = new DensePanels((byte*)pw, DType.F32, outputs, inputs, transposed: false);
                MatrixProduct.Run(workers, tensor.Packed(workers), weights, py, outputs, add: false, updates: terms.Updates);
            }

            for (int i = 0; i < rows; i++)
            {
                ReadOnlySpan<float> row = x.AsSpan(i * inputs, inputs);
                float[] low = new float[rank];
                for (int r = 0; r < rank; r++)
                {
                    low[r] = Chain(row, a.AsSpan(r * inputs, inputs)) * 0.375f;
                }

                for (int j = 0; j < outputs; j++)
                {
                    float want = Chain(row, w.AsSpan(j * inputs, inputs));
                    if (i >= first && i < first + count && j >= offset)
                    {
                        want = Continued(want, low, b.AsSpan((j - offset) * rank, rank));
                    }

                    if (y[(i * outputs) + j] != want)
                    {
                        Assert.Fail($"{threads} thread(s): element ({i}, {j}) is {y[(i * outputs) + j]:R}, not {want:R}");
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(40, 7, 20, 5)]
    [InlineData(40, 12, 28, 0)]
    [InlineData(31, 0, 31, 3)]
    [InlineData(1, 0, 1, 9)]
    public void Factors_of_several_layers_are_multiplied_together_and_added_anywhere(int rows, int first, int count, int firstOutput)
    {
        const int Inputs = 850, Outputs = 45;
        var random = new Random(10);
        int[] ranks = [8, 20, 30];
        float[] x = Numbers(random, rows * Inputs), a = Numbers(random, ranks.Sum() * Inputs), b = Numbers(random, Outputs * ranks.Max());
        float[] start = Numbers(random, rows * (Outputs + firstOutput));
        foreach (int threads in (ReadOnlySpan<int>)[1, 2])
        {
            using var pool = new BufferPool();
            using var workers = new WorkerPool(threads);
            using var tensor = new CpuTensor(pool, rows, Inputs);
            x.CopyTo(tensor.Span);
            fixed (float* pa = a, pb = b)
            {
                var deltas = new DeltaRange[ranks.Length];
                for (int i = 0, from = 0; i < ranks.Length; from += ranks[i++])
                {
                    var term = new LowRankTerm
                    {
                        A = new CpuMatrix(new DensePanels((byte*)(pa + (from * Inputs)), DType.F32, ranks[i], Inputs, transposed: false)),
                        B = new CpuMatrix(new DensePanels((byte*)pb, DType.F32, Outputs, ranks[i], transposed: false)),
                        Scaling = 0.5 + i,
                    };
                    deltas[i] = new DeltaRange(first, count, new LinearDelta { Terms = [term] }, 1.0);
                }

                FirstFactors.Expect(pool, workers, tensor, deltas);
                for (int i = 0, from = 0; i < ranks.Length; from += ranks[i++])
                {
                    float[] y = [.. start];
                    using (FusedTerms terms = FusedTerms.Compute(pool, workers, tensor, [deltas[i]]))
                    {
                        fixed (float* py = y)
                        {
                            MatrixProduct.Add(workers, terms.Updates[0], py + firstOutput, Outputs + firstOutput);
                        }
                    }

                    for (int row = 0; row < rows; row++)
                    {
                        float[] low = [.. Enumerable.Range(from, ranks[i]).Select(r => Chain(x.AsSpan(row * Inputs, Inputs), a.AsSpan(r * Inputs, Inputs)) * (0.5f + i))];
                        for (int j = 0; j < Outputs + firstOutput; j++)
                        {
                            float want = start[(row * (Outputs + firstOutput)) + j];
                            if (row >= first && row < first + count && j >= firstOutput)
                            {
                                want = Continued(want, low, b.AsSpan((j - firstOutput) * ranks[i], ranks[i]));
                            }

                            y[(row * (Outputs + firstOutput)) + j].ShouldBe(want, $"{threads} thread(s), layer {i}, element ({row}, {j})");
                        }
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    public void One_row_and_quantized_weights_have_the_bits_of_many_rows(DType factors)
    {
        var random = new Random(8);
        foreach ((int inputs, int outputs, int group) in (ReadOnlySpan<(int, int, int)>)[
            (64, 70, 32), (128, 64, 128), (192, 200, 64), (256, 129, 128), (544, 96, 32), (576, 192, 64), (832, 128, 64), (1536, 65, 32), (1664, 64, 128)])
        {
            byte[] words = new byte[outputs * inputs];
            random.NextBytes(words);
            (byte[] scales, byte[] biases) = (new byte[outputs * inputs / group * factors.ByteSize()], new byte[outputs * inputs / group * factors.ByteSize()]);
            ElementConversion.FromDouble(factors, [.. Numbers(random, outputs * inputs / group).Select(value => (double)value)], scales);
            ElementConversion.FromDouble(factors, [.. Numbers(random, outputs * inputs / group).Select(value => (double)value)], biases);
            float[] x = Numbers(random, 3 * inputs), many = new float[3 * outputs], one = new float[outputs];
            foreach ((int bits, int threads) in (ReadOnlySpan<(int, int)>)[(4, 1), (4, 2), (8, 1), (8, 2)])
            {
                using var pool = new BufferPool();
                using var workers = new WorkerPool(threads);
                fixed (float* px = x, pm = many, po = one)
                fixed (byte* pw = words, ps = scales, pb = biases)
                {
                    var weights = new QuantizedPanels((uint*)pw, ps, pb, factors, outputs, inputs, bits, group);
                    using var rows = PackedRows.Create(pool, workers, px, inputs, 3, inputs);
                    MatrixProduct.Run(workers, rows, weights, pm, outputs, add: false);
                    using var row = PackedRows.Create(pool, workers, px + inputs, inputs, 1, inputs);
                    MatrixProduct.Run(workers, row, weights, po, outputs, add: false);
                }

                one.AsSpan().SequenceEqual(many.AsSpan(outputs, outputs)).ShouldBeTrue($"{bits} bits, {threads} thread(s), {inputs} x {outputs} in groups of {group}");
            }
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    public void One_row_reads_quantized_weights_as_they_are_stored(int bits)
    {
        const int Inputs = 576;
        int outputs = QuantizedDot.Outputs;
        byte[] bytes = new byte[outputs * Inputs * 2];
        float[] x = new float[Inputs], sums = new float[outputs];
        fixed (byte* p = bytes)
        fixed (float* px = x, to = sums)
        {
            var weights = new QuantizedPanels((uint*)p, p, p, DType.BF16, outputs, Inputs, bits, 64);
            weights.DotOutputs.ShouldBeLessThanOrEqualTo(PanelSource.MostDotOutputs);
            (weights.DotOutputs % GemmKernel.Best.Columns).ShouldBe(0);
            weights.TryDot(0, 0, Inputs, px, to).ShouldBeTrue();
        }
    }

    [Fact]
    public void Squares_are_half_a_panel_wide() => (2 * WordTranspose.Side).ShouldBe(GemmKernel.Best.Columns);

    [Fact]
    public void Halves_widen_exactly()
    {
        // All 65,536 of them: subnormal numbers, infinities and what is no number too.
        Half[] halves = [.. Enumerable.Range(0, 65536).Select(bits => BitConverter.UInt16BitsToHalf((ushort)bits))];
        float[] panel = new float[65536];
        fixed (Half* source = halves)
        fixed (float* destination = panel)
        {
            int columns = GemmKernel.Best.Columns;
            int depth = 65536 / columns;
            WordPanel.Fill<HalfWords>((byte*)source, depth * 2, columns, columns, depth, destination);
            for (int i = 0; i < halves.Length; i++)
            {
                float got = panel[(i % depth * columns) + (i / depth)];
                float want = (float)halves[i];
                (float.IsNaN(want) ? float.IsNaN(got) : BitConverter.SingleToInt32Bits(got) == BitConverter.SingleToInt32Bits(want)).ShouldBeTrue();
            }
        }
    }

    private static void Check(Random random, DType dtype, int rows, int inputs, int outputs, bool transposed, int threads)
    {
        using var pool = new BufferPool();
        using var workers = new WorkerPool(threads);
        float[] x = Numbers(random, rows * inputs);
        byte[] stored = new byte[outputs * inputs * 4];
        random.NextBytes(stored);
        byte[] scales = MemoryMarshal.AsBytes<float>(Numbers(random, outputs * inputs / 32)).ToArray();
        byte[] biases = MemoryMarshal.AsBytes<float>(Numbers(random, outputs * inputs / 32)).ToArray();
        if (dtype != DType.U32)
        {
            ElementConversion.FromDouble(dtype, [.. Numbers(random, outputs * inputs).Select(value => (double)value)], stored);
        }

        float[] y = new float[rows * outputs];
        fixed (float* px = x, py = y)
        fixed (byte* pw = stored, ps = scales, pb = biases)
        {
            foreach (int bits in dtype == DType.U32 ? (int[])[4, 8] : [0])
            {
                PanelSource weights = bits == 0
                    ? new DensePanels(pw, dtype, outputs, inputs, transposed)
                    : new QuantizedPanels((uint*)pw, ps, pb, DType.F32, outputs, inputs, bits, 32);
                using var packed = PackedRows.Create(pool, workers, px, inputs, rows, inputs);
                MatrixProduct.Run(workers, packed, weights, py, outputs, add: false);
                float[] row = new float[inputs];
                for (int j = 0; j < outputs; j++)
                {
                    weights.ReadRow(j, row);
                    for (int i = 0; i < rows; i++)
                    {
                        if (y[(i * outputs) + j] != Chain(x.AsSpan(i * inputs, inputs), row))
                        {
                            Assert.Fail($"{dtype} {bits} {rows} x {inputs} x {outputs} transposed {transposed}: element ({i}, {j})");
                        }
                    }
                }
            }
        }
    }

    private static float Continued(float sum, ReadOnlySpan<float> x, ReadOnlySpan<float> w)
    {
        for (int k = 0; k < x.Length; k++)
        {
            sum = MathF.FusedMultiplyAdd(x[k], w[k], sum);
        }

        return sum;
    }

    private static float Chain(ReadOnlySpan<float> x, ReadOnlySpan<float> w)
    {
        float sum = 0f;
        int length = MatrixProduct.BlockLength(x.Length);
        for (int block = 0; block < x.Length; block += length)
        {
            float chain = 0f;
            for (int k = block; k < Math.Min(x.Length, block + length); k++)
            {
                chain = MathF.FusedMultiplyAdd(x[k], w[k], chain);
            }

            sum = block == 0 ? chain : chain + sum;
        }

        return sum;
    }

    private static float[] Numbers(Random random, int count)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = (float)(random.NextDouble() - 0.5);
        }

        return values;
    }
}
