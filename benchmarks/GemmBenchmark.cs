using Sway.Inference.Cpu;
using Sway.Tensors;

namespace Sway.Benchmarks;

/// <summary>
/// Matrix products beside the peak of fused multiply-adds, and products with one row beside the speed of a copy of memory, each
/// pair measured in turns in the same run.
/// </summary>
internal static unsafe class GemmBenchmark
{
    private static readonly (string Name, DType DType, int Bits)[] s_forms =
        [("f32", DType.F32, 0), ("bf16", DType.BF16, 0), ("f16", DType.F16, 0), ("4-bit", DType.U32, 4), ("8-bit", DType.U32, 8)];

    public static int Run(string[] arguments)
    {
        int threads = arguments.Length > 0 ? int.Parse(arguments[0], System.Globalization.CultureInfo.InvariantCulture) : 1;
        bool products = arguments is not [_, "row", ..];
        Console.WriteLine($"{GemmKernel.Best.GetType().Name}, {threads} thread(s)");
        Console.WriteLine("rows x inputs x outputs  weights  GFLOP/s   peak  ratio");
        foreach ((int m, int k, int n) in products ? (ReadOnlySpan<(int, int, int)>)[(512, 576, 1536), (512, 1536, 576), (2048, 576, 1536), (512, 2048, 2048), (2048, 2048, 2048)] : [])
        {
            foreach ((string name, DType dtype, int bits) in s_forms)
            {
                (double peak, double speed) = Product(threads, m, k, n, dtype, bits);
                Console.WriteLine(FormattableString.Invariant($"{$"{m} x {k} x {n}",-24} {name,-6} {speed / 1e9,9:F1} {peak / 1e9,6:F1} {speed / peak,6:F3}"));
            }
        }

        Console.WriteLine("1 row x inputs x outputs  weights  GB/s of weights  copy GB/s (read + written)  ratio");
        foreach ((int k, int n) in (ReadOnlySpan<(int, int)>)[(576, 49152), (2048, 8192), (4096, 14336)])
        {
            foreach ((string name, DType dtype, int bits) in s_forms)
            {
                (double copy, double speed) = Decode(threads, k, n, dtype, bits);
                Console.WriteLine(FormattableString.Invariant($"{$"1 x {k} x {n}",-25} {name,-6} {speed / 1e9,16:F1} {copy / 1e9,27:F1} {speed / copy,6:F2}"));
            }
        }

        return 0;
    }

    private static (double Peak, double Speed) Product(int threads, int m, int k, int n, DType dtype, int bits)
    {
        using var pool = new BufferPool();
        using var workers = new WorkerPool(threads);
        float* x = Filled(pool, (long)m * k);
        float* y = Filled(pool, (long)m * n);
        PanelSource weights = Weights(pool, dtype, bits, k, n);
        double work = 2.0 * m * k * n;
        var rounds = new List<(double Peak, double Speed)>();
        for (int round = 0; round < 13; round++)
        {
            double before = Peak(workers);
            double speed = work / Best.Within(0.12, () =>
            {
                using var rows = PackedRows.Create(pool, workers, x, k, m, k);
                MatrixProduct.Run(workers, rows, weights, y, n, add: false);
            });
            rounds.Add((Math.Max(before, Peak(workers)), speed));
        }

        // The clock of the processor changes by some percent from second to second: a round compares what is measured side by side.
        return rounds.OrderBy(round => round.Speed / round.Peak).ElementAt(rounds.Count / 2);
    }

    // Of threads that run at once: what they share, such as the power that the processor may draw, is part of the peak.
    private static double Peak(WorkerPool workers)
    {
        double[] peaks = new double[workers.Threads];
        using var together = new Barrier(workers.Threads);
        workers.For(workers.Threads, long.MaxValue, thread =>
        {
            together.SignalAndWait();
            peaks[thread] = Enumerable.Range(0, 20).Max(_ => FmaPeak.Once());
        });
        return peaks.Sum();
    }

    private static (double Copy, double Speed) Decode(int threads, int k, int n, DType dtype, int bits)
    {
        using var pool = new BufferPool();
        using var workers = new WorkerPool(threads);
        float* x = Filled(pool, k);
        float* y = Filled(pool, n);
        PanelSource weights = Weights(pool, dtype, bits, k, n);
        double bytes = bits > 0 ? (double)n * k * ((bits / 8.0) + (4.0 / 64)) : (double)n * k * dtype.ByteSize();
        const int Part = 16 << 20;
        byte* from = (byte*)Filled(pool, 2 * Part);
        byte* to = (byte*)Filled(pool, 2 * Part);
        using var rows = PackedRows.Create(pool, workers, x, k, 1, k);
        (double copy, double speed) = (0.0, 0.0);
        for (int round = 0; round < 12; round++)
        {
            speed = Math.Max(speed, bytes / Best.Within(0.15, () => MatrixProduct.Run(workers, rows, weights, y, n, add: false)));
            copy = Math.Max(copy, 2.0 * 8 * Part / Best.Within(0.15, () => workers.For(32, long.MaxValue, i =>
                Buffer.MemoryCopy(from + ((long)i * Part / 4), to + ((long)i * Part / 4), Part / 4, Part / 4))));
        }

        return (copy, speed);
    }

    private static PanelSource Weights(BufferPool pool, DType dtype, int bits, int inputs, int outputs)
    {
        byte* data = (byte*)Filled(pool, (long)inputs * outputs * (bits > 0 ? bits : 8 * dtype.ByteSize()) / 32);
        if (bits == 0)
        {
            return new DensePanels(data, dtype, outputs, inputs, transposed: false);
        }

        long groups = (long)inputs * outputs / 64;
        return new QuantizedPanels((uint*)data, (byte*)Filled(pool, groups), (byte*)Filled(pool, groups), DType.BF16, outputs, inputs, bits, 64);
    }

    // Bits that are ordinary numbers in every form.
    private static float* Filled(BufferPool pool, long floats)
    {
        float* data = pool.Rent(floats).Data;
        for (long i = 0; i < floats; i++)
        {
            ((uint*)data)[i] = 0x3c003c00u;
        }

        return data;
    }
}
