using System.Diagnostics;
using System.Globalization;
using Sway.Inference.Cpu;
using Sway.Scoring;

namespace Sway.Benchmarks;

/// <summary>
/// Scores windows of 512 random tokens with a model of the shape of SmolLM2-135M: one view, both views with adapters on all and on the
/// upper half of the layers, plain and 4-bit weights, many windows and one. Each case runs in a process of its own, so that its peak
/// memory is its own: the largest resident set of its whole life, from the runtime's start over the opening of the files to the last
/// result. What both views take of one view's time is measured in turns in one process. Beside it stand the files
/// (the model's weights, and the adapter's), the activations (the most bytes that the engine had lent at once for them, for what products
/// make of them and for logits) and the resident set of a program of the same runtime that does nothing.
/// </summary>
internal static class ScoringBenchmark
{
    private const int Window = 512, TurnsOfEach = 5;

    public static int Run(string[] arguments)
    {
        if (arguments is ["empty"])
        {
            Print(0.0, 0);
            return 0;
        }

        if (arguments is ["case", var model, var adapterFolder, var threadCount, var windowCount, .. var how])
        {
            return Case(
                model, adapterFolder, int.Parse(threadCount, CultureInfo.InvariantCulture), int.Parse(windowCount, CultureInfo.InvariantCulture),
                how is ["half"] ? Window / 2 : 1);
        }

        if (arguments is ["turns", .. var of])
        {
            return Turns(of[0], of[1], int.Parse(of[2], CultureInfo.InvariantCulture), int.Parse(of[3], CultureInfo.InvariantCulture));
        }

        string count = arguments.Length > 0 ? arguments[0] : "8";
        var folder = new BenchmarkFolder();
        string root = folder.Path;
        try
        {
            long plain = SyntheticModel.Write(Path.Combine(root, "bf16"), quantized: false);
            long quantized = SyntheticModel.Write(Path.Combine(root, "4-bit"), quantized: true);
            var adapters = new Dictionary<string, long>(StringComparer.Ordinal)
            {
                ["-"] = 0,
                ["all"] = SyntheticModel.WriteAdapter(Path.Combine(root, "all"), 0),
                ["upper half"] = SyntheticModel.WriteAdapter(Path.Combine(root, "upper half"), 15),
            };
            Console.WriteLine(FormattableString.Invariant(
                $"weight files: bf16 {plain / 1e6:F1} MB, 4-bit {quantized / 1e6:F1} MB; windows of {Window} tokens, every token scored"));
            Console.WriteLine(FormattableString.Invariant(
                $"peak = largest resident set of the process; a program that does nothing: {Child("empty")[1] / 1e6:F0} MB"));
            Console.WriteLine("weights  adapter     threads  windows  tokens/s  of one view's time  peak MB  files MB  activations MB  peak - files - activations MB");
            foreach ((string form, long file) in ((string, long)[])[("bf16", plain), ("4-bit", quantized)])
            {
                foreach (int threads in (int[])[1, Environment.ProcessorCount])
                {
                    foreach ((string adapter, long own) in adapters)
                    {
                        (string weights, string number) = (Path.Combine(root, form), threads.ToString(CultureInfo.InvariantCulture));
                        string path = adapter == "-" ? adapter : Path.Combine(root, adapter);
                        double times = adapter == "-" ? 1.0 : Child("turns", weights, path, number, count)[0];
                        foreach (string windows in (string[])[count, "1"])
                        {
                            double[] got = Child("case", weights, path, number, windows);
                            double beyond = got[1] - file - own - got[2];
                            string ratio = windows == count ? times.ToString("F2", CultureInfo.InvariantCulture) : string.Empty;
                            Console.WriteLine(FormattableString.Invariant(
                                $"{form,-8} {adapter,-11} {threads,7} {windows,8} {got[0],9:F0} {ratio,19} {got[1] / 1e6,8:F0} {(file + own) / 1e6,9:F0} {got[2] / 1e6,15:F0} {beyond / 1e6,30:F0}"));
                        }
                    }
                }
            }

            BesideLlama(root, count);
        }
        finally
        {
            folder.Dispose();
        }

        return 0;
    }

    // In turns, so that both see the same machine; the median of what each gives.
    private static void BesideLlama(string root, string count)
    {
        if (LlamaPerplexity.Find() is not { } llama)
        {
            Console.WriteLine("llama-perplexity (SWAY_LLAMA_PERPLEXITY or PATH) is not there: nothing beside it.");
            return;
        }

        int windows = int.Parse(count, CultureInfo.InvariantCulture);
        (string model, string text) = (Path.Combine(root, "f32.gguf"), Path.Combine(root, "text.txt"));
        GgufModel.Write(model);
        File.WriteAllText(text, string.Join(' ', Enumerable.Range(0, 200 * windows).Select(i => string.Create(CultureInfo.InvariantCulture, $"word{i * 7919 % 40_000}"))));
        long plain = SyntheticModel.Write(Path.Combine(root, "f32"), quantized: false, single: true);
        Console.WriteLine(FormattableString.Invariant($"float32 weights ({plain / 1e6:F0} MB), one view, {count} windows; llama-perplexity computes logits for every second token"));
        Console.WriteLine("threads  sway, all scored  sway, second half scored  llama-perplexity   ratios");
        foreach (int threads in (int[])[1, Environment.ProcessorCount])
        {
            string number = threads.ToString(CultureInfo.InvariantCulture);
            var rounds = new List<(double All, double Half, double Llama)>();
            for (int round = 0; round < 3; round++)
            {
                rounds.Add((
                    Child("case", Path.Combine(root, "f32"), "-", number, count)[0],
                    Child("case", Path.Combine(root, "f32"), "-", number, count, "half")[0],
                    llama.TokensPerSecond(model, text, threads, windows)));
            }

            double Median(Func<(double All, double Half, double Llama), double> which) => rounds.Select(which).Order().ElementAt(rounds.Count / 2);
            (double all, double half, double other) = (Median(round => round.All), Median(round => round.Half), Median(round => round.Llama));
            Console.WriteLine(FormattableString.Invariant($"{threads,7} {all,17:F0} {half,24:F0} {other,17:F0}   {all / other:F2}, {half / other:F2}"));
        }
    }

    private static double[] Child(params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, UseShellExecute = false };
        string[] own = Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet" ? [typeof(ScoringBenchmark).Assembly.Location] : [];
        foreach (string argument in (string[])[.. own, "scoring", .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start)!;
        string line = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(number => double.Parse(number, CultureInfo.InvariantCulture))];
    }

    private static int Case(string model, string adapter, int threads, int count, int firstScored)
    {
        using var session = ScoringSession.Open(model, adapter == "-" ? null : adapter, new ScoringOptions { Threads = threads });
        var random = new Random(4);
        double seconds = double.MaxValue;
        for (int round = 0; round < 3; round++)
        {
            seconds = Math.Min(seconds, Seconds(session, Texts(random, count, firstScored)));
        }

        long activations = session.Exclusive((decoder, _) => ((CpuEngine)decoder.Engine).PeakActivationBytes, CancellationToken.None);
        Print(count * Window / seconds, activations);
        return 0;
    }

    // In turns, since the machine does not give the same speed for long: the median of what both views of a text take of the mean of the
    // times that the base takes right before and after.
    private static int Turns(string model, string adapter, int threads, int count)
    {
        using var one = ScoringSession.Open(model, null, new ScoringOptions { Threads = threads });
        using var both = ScoringSession.Open(model, adapter, new ScoringOptions { Threads = threads });
        var random = new Random(4);
        _ = Seconds(one, Texts(random, 1, 1)) + Seconds(both, Texts(random, 1, 1));
        var ratios = new List<double>();
        for (double before = Seconds(one, Texts(random, count, 1)), after; ratios.Count < TurnsOfEach; before = after)
        {
            double two = Seconds(both, Texts(random, count, 1));
            after = Seconds(one, Texts(random, count, 1));
            ratios.Add(2.0 * two / (before + after));
        }

        Print(ratios.Order().ElementAt(ratios.Count / 2), 0);
        return 0;
    }

    private static double Seconds(ScoringSession session, TokenSequence[] windows) => Best.Of(1, () => _ = session.Score(windows).Count());

    // New ones in each round: a session keeps what it computed of the base for the next adapter.
    private static TokenSequence[] Texts(Random random, int count, int firstScored) =>
        [.. Enumerable.Range(0, count).Select(_ => new TokenSequence([.. Enumerable.Range(0, Window).Select(_ => random.Next(SyntheticModel.Vocabulary))], firstScored))];

    private static void Print(double rate, long activations)
    {
        using var self = Process.GetCurrentProcess();
        Console.WriteLine(FormattableString.Invariant($"{rate} {self.PeakWorkingSet64} {activations}"));
    }
}
