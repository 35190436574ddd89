using System.Diagnostics;
using System.Globalization;

namespace Sway.Benchmarks;

/// <summary>
/// llama-perplexity of llama.cpp on a model of the same shape in float32, where the program is found (SWAY_LLAMA_PERPLEXITY or PATH). It
/// computes logits for the second half of each window only; Sway computes them for every token.
/// </summary>
internal sealed class LlamaPerplexity
{
    private const int Window = 512;

    private readonly string _program;

    private LlamaPerplexity(string program)
    {
        _program = program;
    }

    /// <summary>The program, or null where there is none.</summary>
    public static LlamaPerplexity? Find()
    {
        string? named = Environment.GetEnvironmentVariable("SWAY_LLAMA_PERPLEXITY");
        IEnumerable<string> candidates = named is not null
            ? [named]
            : (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(Path.PathSeparator).Select(folder => Path.Combine(folder, "llama-perplexity"));
        return candidates.FirstOrDefault(File.Exists) is { } found ? new LlamaPerplexity(found) : null;
    }

    /// <summary>Tokens in a second, from the first window's begin to the estimate; loading is not counted.</summary>
    /// <param name="model">The GGUF file.</param>
    /// <param name="text">A text of more tokens than the windows have.</param>
    /// <param name="threads">Number of threads.</param>
    /// <param name="windows">Number of windows.</param>
    public double TokensPerSecond(string model, string text, int threads, int windows)
    {
        string count = threads.ToString(CultureInfo.InvariantCulture);
        var start = new ProcessStartInfo(_program) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (string argument in (string[])["-m", model, "-f", text, "-c", "512", "-b", "2048", "-ub", "512", "-t", count, "-tb", count, "--chunks", windows.ToString(CultureInfo.InvariantCulture)])
        {
            start.ArgumentList.Add(argument);
        }

        var clock = new Stopwatch();
        double seconds = double.NaN;
        using Process process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => Look(line.Data);
        process.ErrorDataReceived += (_, line) => Look(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        process.WaitForExit();
        return windows * Window / seconds;

        void Look(string? line)
        {
            lock (clock)
            {
                if (line?.Contains("calculating perplexity", StringComparison.Ordinal) == true)
                {
                    clock.Restart();
                }
                else if (line?.Contains("Final estimate", StringComparison.Ordinal) == true)
                {
                    seconds = clock.Elapsed.TotalSeconds;
                }
            }
        }
    }
}
