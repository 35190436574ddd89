using System.Diagnostics;
using System.Runtime.Intrinsics;
using Sway.Inference.Cpu;
using Sway.Tensors;

namespace Sway.Benchmarks;

/// <summary>Matrix products beside the peak of fused multiply-adds, measured in the same run on one thread.</summary>
internal static unsafe class GemmBenchmark
{
    public static void Run(TextWriter output)
    {
        output.WriteLine($"kernel {GemmKernel.Best.GetType().Name}");
        foreach ((int m, int k, int n) in (ReadOnlySpan<(int, int, int)>)[(512, 576, 1536), (512, 1536, 576), (2048, 576, 1536), (512, 2048, 2048), (1, 576, 1536)])
        {
            double peak = 0.0, speed = 0.0;
            for (int round = 0; round < 5; round++)
            {
                peak = Math.Max(peak, Peak());
                speed = Math.Max(speed, Product(m, k, n));
            }

            output.WriteLine($"{m} x {k} x {n}: {speed / 1e9:F1} GFLOP/s, peak {peak / 1e9:F1}, ratio {speed / peak:F3}");
        }
    }

    private static double Product(int m, int k, int n)
    {
        using var pool = new BufferPool();
        using var workers = new WorkerPool(1);
        var a = pool.Rent((long)m * k);
        var b = pool.Rent((long)n * k);
        var c = pool.Rent((long)m * n);
        new Span<float>(a.Data, m * k).Fill(0.5f);
        new Span<float>(b.Data, n * k).Fill(0.25f);
        var weights = new DensePanels((byte*)b.Data, DType.F32, n, k, transposed: false);
        var repeats = (int)Math.Max(1, 1_500_000_000L / (2L * m * k * n));
        var clock = Stopwatch.StartNew();
        for (int i = 0; i < repeats; i++)
        {
            using var rows = PackedRows.Create(pool, workers, a.Data, k, m, k);
            MatrixProduct.Run(workers, rows, weights, c.Data, n, add: false);
        }

        return 2.0 * m * k * n * repeats / clock.Elapsed.TotalSeconds;
    }

    private static double Peak()
    {
        // The kernel itself on one tile that stays in the first-level cache.
        GemmKernel kernel = GemmKernel.Best;
        using var pool = new BufferPool();
        var a = pool.Rent(64 * kernel.TileRows);
        var b = pool.Rent(64 * kernel.Columns);
        var c = pool.Rent(kernel.TileRows * kernel.Columns);
        new Span<float>(a.Data, 64 * kernel.TileRows).Clear();
        new Span<float>(b.Data, 64 * kernel.Columns).Clear();
        const int Repeats = 40_000;
        var clock = Stopwatch.StartNew();
        for (int i = 0; i < Repeats; i++)
        {
            kernel.Multiply(kernel.TileRows, a.Data, b.Data, 64, c.Data, kernel.Columns, add: false);
        }

        return 2.0 * kernel.TileRows * kernel.Columns * 64 * Repeats / clock.Elapsed.TotalSeconds;
    }
}
