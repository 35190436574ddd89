using System.Diagnostics;
using System.Globalization;
using Sway.Inference.Cpu;
using Sway.Scoring;

namespace Sway.Benchmarks;

/// <summary>
/// Scores windows of 512 random tokens with a model of the shape of SmolLM2-135M: one view, both views with adapters on all and on the
/// upper half of the layers, plain and 4-bit weights. Each case runs in a process of its own, so that its peak memory is its own.
/// </summary>
internal static class ScoringBenchmark
{
    private const int Window = 512;

    public static int Run(string[] arguments)
    {
        if (arguments.Length == 5 && arguments[0] == "case")
        {
            return Case(
                arguments[1], arguments[2], int.Parse(arguments[3], CultureInfo.InvariantCulture), int.Parse(arguments[4], CultureInfo.InvariantCulture));
        }

        string count = arguments.Length > 0 ? arguments[0] : "8";
        string root = Directory.CreateTempSubdirectory("sway-bench-").FullName;
        try
        {
            long plain = SyntheticModel.Write(Path.Combine(root, "bf16"), quantized: false);
            long quantized = SyntheticModel.Write(Path.Combine(root, "4-bit"), quantized: true);
            SyntheticModel.WriteAdapter(Path.Combine(root, "all"), 0);
            SyntheticModel.WriteAdapter(Path.Combine(root, "upper half"), 15);
            Console.WriteLine(FormattableString.Invariant($"weight files: bf16 {plain / 1e6:F1} MB, 4-bit {quantized / 1e6:F1} MB; {count} windows of {Window} tokens, every token scored"));
            Console.WriteLine("weights  adapter     threads  tokens/s  of one view's time  peak MB  activations MB  peak - file - activations MB");
            foreach ((string form, long file) in ((string, long)[])[("bf16", plain), ("4-bit", quantized)])
            {
                foreach (int threads in (int[])[1, Environment.ProcessorCount])
                {
                    double one = 0.0;
                    foreach (string adapter in (string[])["-", "all", "upper half"])
                    {
                        double[] got = Child(Path.Combine(root, form), adapter == "-" ? "-" : Path.Combine(root, adapter), threads, count);
                        one = adapter == "-" ? got[0] : one;
                        Console.WriteLine(FormattableString.Invariant(
                            $"{form,-8} {adapter,-11} {threads,7} {got[0],9:F0} {one / got[0],19:F2} {got[1] / 1e6,8:F0} {got[2] / 1e6,15:F0} {(got[1] - file - got[2]) / 1e6,29:F0}"));
                    }
                }
            }
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }

        return 0;
    }

    private static double[] Child(string model, string adapter, int threads, string count)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, UseShellExecute = false };
        string[] own = Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet" ? [typeof(ScoringBenchmark).Assembly.Location] : [];
        foreach (string argument in (string[])[.. own, "scoring", "case", model, adapter, threads.ToString(CultureInfo.InvariantCulture), count])
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start)!;
        string line = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(number => double.Parse(number, CultureInfo.InvariantCulture))];
    }

    private static int Case(string model, string adapter, int threads, int count)
    {
        using var session = ScoringSession.Open(model, adapter == "-" ? null : adapter, new ScoringOptions { Threads = threads });
        // New texts in each round: a session keeps what it computed of the base for the next adapter.
        var random = new Random(4);
        double seconds = double.MaxValue;
        for (int round = 0; round < 3; round++)
        {
            TokenSequence[] windows =
                [.. Enumerable.Range(0, count).Select(_ => new TokenSequence([.. Enumerable.Range(0, Window).Select(_ => random.Next(SyntheticModel.Vocabulary))], 1))];
            seconds = Math.Min(seconds, Best.Of(1, () => _ = session.Score(windows).Count()));
        }

        long activations = session.Exclusive((decoder, _) => ((CpuEngine)decoder.Engine).PeakActivationBytes, CancellationToken.None);
        using var self = Process.GetCurrentProcess();
        Console.WriteLine(FormattableString.Invariant($"{count * Window / seconds} {self.PeakWorkingSet64} {activations}"));
        return 0;
    }
}
