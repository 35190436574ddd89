using Sway.Inference;
using Sway.Inference.Cpu;

namespace Sway.Unit.Scoring;

public sealed unsafe class PendingRowsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(12)]
    [InlineData(40)]
    [InlineData(61)]
    public void Norms_are_the_same_in_either_order_before_and_after_the_source_changes(int rows)
    {
        foreach (int threads in (ReadOnlySpan<int>)[1, 2])
        {
            using var engine = new CpuEngine(threads);
            using var workers = new WorkerPool(threads);
            EngineWeight weight = engine.Vector(Numbers(2, 50));
            using CpuTensor source = Filled(engine, rows, 50, 1);
            float[] want = Rows(engine, (CpuTensor)engine.Norm(source, NormKind.Rms, 1e-5, weight, null));

            using var interleaved = (CpuTensor)engine.Norm(source, NormKind.Rms, 1e-5, weight, null);
            using var read = (CpuTensor)engine.Norm(source, NormKind.Rms, 1e-5, weight, null);
            using var untouched = (CpuTensor)engine.Norm(source, NormKind.Rms, 1e-5, weight, null);
            Plain(interleaved.Packed(workers)).ShouldBe(want);
            _ = engine.Row(read, 0);
            engine.Scale(source, 3.0);

            Rows(engine, interleaved).ShouldBe(want);
            Rows(engine, read).ShouldBe(want);
            Rows(engine, untouched).ShouldBe(want);
            Plain(untouched.Packed(workers)).ShouldBe(want);
        }
    }

    [Fact]
    public void Norms_outlive_their_source()
    {
        using var engine = new CpuEngine(2);
        CpuTensor source = Filled(engine, 30, 20, 4);
        float[] want = Rows(engine, (CpuTensor)engine.Norm(source, NormKind.Layer, 1e-5, null, null));
        using var norm = (CpuTensor)engine.Norm(source, NormKind.Layer, 1e-5, null, null);
        source.Dispose();
        using CpuTensor other = Filled(engine, 30, 20, 5);
        Rows(engine, norm).ShouldBe(want);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(13)]
    [InlineData(60)]
    public void Gates_are_the_same_in_either_order_apart_or_side_by_side(int rows)
    {
        const int Width = 33;
        using var engine = new CpuEngine(2);
        using var workers = new WorkerPool(2);
        float[]? want = null;
        foreach (bool sideBySide in (ReadOnlySpan<bool>)[false, true])
        {
            foreach (bool pack in (ReadOnlySpan<bool>)[false, true])
            {
                CpuTensor gate = Filled(engine, rows, Width, 6), up = Filled(engine, rows, Width, 7);
                CpuTensor both = engine.Allocate(rows, 2 * Width);
                for (int row = 0; row < rows; row++)
                {
                    new Span<float>(gate.Row(row), Width).CopyTo(new Span<float>(both.Row(row), Width));
                    new Span<float>(up.Row(row), Width).CopyTo(new Span<float>(both.Row(row) + Width, Width));
                }

                want ??= [.. Enumerable.Range(0, rows * Width).Select(i => Silu(gate.Data[i]) * up.Data[i])];
                using var result = (CpuTensor)(sideBySide
                    ? engine.Gated(both, 0, both, Width, Width, Activation.Silu)
                    : engine.Gated(gate, 0, up, 0, Width, Activation.Silu));
                gate.Dispose();
                up.Dispose();
                both.Dispose();
                float[] got = pack ? Plain(result.Packed(workers)) : Rows(engine, result);
                for (int i = 0; i < want.Length; i++)
                {
                    got[i].ShouldBe(want[i], 1e-6f);
                }

                Rows(engine, result).ShouldBe(got);
            }
        }
    }

    [Fact]
    public void Nothing_stays_lent()
    {
        using var engine = new CpuEngine(1);
        using var workers = new WorkerPool(1);
        for (int round = 0; round < 3; round++)
        {
            using CpuTensor source = Filled(engine, 40, 16, 8);
            using (var norm = (CpuTensor)engine.Norm(source, NormKind.Rms, 1e-5, null, null))
            {
                _ = norm.Packed(workers);
            }

            using var gated = (CpuTensor)engine.Gated(Filled(engine, 40, 16, 1), 0, Filled(engine, 40, 16, 2), 0, 16, Activation.Silu);
            _ = round == 1 ? null : gated.Packed(workers);
            _ = round == 2 ? default : engine.Row(gated, 3);
        }

        // Gate, up, source and one tensor of interleaved or restored rows, 48 x 16 floats each.
        engine.PeakActivationBytes.ShouldBeLessThanOrEqualTo(4 * 48 * 16 * sizeof(float));
        engine.Reclaim();
        engine.Reclaim();
        engine.ActivationBytes.ShouldBe(0);
    }

    [Theory]
    [InlineData(1.0)]
    [InlineData(0.5)]
    public void A_sum_tells_which_row_is_not_finite(double factor)
    {
        using var engine = new CpuEngine(2);
        foreach (float bad in (ReadOnlySpan<float>)[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            using CpuTensor x = Filled(engine, 50, 40, 1), y = Filled(engine, 50, 40, 2);
            engine.Add(x, y, factor);
            engine.FirstNonFiniteRow(x).ShouldBe(-1);
            y.Row(31)[39] = bad;
            y.Row(44)[0] = bad;
            engine.Add(x, y, factor);
            engine.FirstNonFiniteRow(x).ShouldBe(31);
            engine.Scale(x, 0.0);
            engine.FirstNonFiniteRow(x).ShouldBe(31);
        }
    }

    private static float Silu(float x) => (float)(x / (1.0 + Math.Exp(-x)));

    private static float[] Numbers(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 4f) - 2f)];
    }

    private static CpuTensor Filled(CpuEngine engine, int rows, int width, int seed)
    {
        CpuTensor tensor = engine.Allocate(rows, width);
        Numbers(seed, rows * width).CopyTo(tensor.Span);
        return tensor;
    }

    private static float[] Rows(CpuEngine engine, CpuTensor tensor) =>
        [.. Enumerable.Range(0, tensor.Rows).SelectMany(row => engine.Row(tensor, row).ToArray())];

    private static float[] Plain(PackedRows packed)
    {
        float[] rows = new float[packed.Rows * packed.Depth];
        for (int tile = 0; tile < packed.Tiles; tile++)
        {
            int height = GemmKernel.Best.PackedRows(packed.TileRows(tile));
            for (int r = 0; r < packed.TileRows(tile); r++)
            {
                for (int k = 0; k < packed.Depth; k++)
                {
                    rows[(((tile * GemmKernel.Best.TileRows) + r) * packed.Depth) + k] = packed.Tile(tile)[(k * height) + r];
                }
            }
        }

        return rows;
    }
}
