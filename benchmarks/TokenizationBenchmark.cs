using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Sway.Tokenization;

namespace Sway.Benchmarks;

/// <summary>Encoding speed on one core and loading time; <c>tokenization FIXTURES [KIND...]</c>.</summary>
internal static class TokenizationBenchmark
{
    public static int Run(string[] args)
    {
        if (args.Length == 0)
        {
            Console.Error.WriteLine("usage: tokenization FIXTURES [KIND...]   (FIXTURES = tests/Fixtures/tokenizers)");
            return 2;
        }

        var kinds = args.Length > 1 ? args[1..] : ["gpt2", "llama3", "qwen2", "o200k", "deepseek3", "llama2", "gemma", "unigram-t5", "wordpiece"];
        Console.WriteLine("kind          text      MB/s   tokens/s");
        foreach (var kind in kinds)
        {
            var folder = Path.Combine(args[0], kind);
            var tokenizer = Tokenizer.Load(folder);
            Measure(kind, "golden", tokenizer, GoldenText(folder));
            Measure(kind, "random", tokenizer, RandomWords());
        }

        MeasureLoading();
        return 0;
    }

    private static void Measure(string kind, string name, Tokenizer tokenizer, string text)
    {
        var bytes = System.Text.Encoding.UTF8.GetByteCount(text);
        var best = double.MaxValue;
        var tokens = 0;
        for (var i = 0; i < 6; i++)
        {
            var watch = Stopwatch.StartNew();
            tokens = tokenizer.Encode(text, false).Ids.Length;
            best = Math.Min(best, watch.Elapsed.TotalSeconds);
        }

        Console.WriteLine($"{kind,-12}  {name,-7} {bytes / best / 1e6,7:F1}  {tokens / best,9:N0}");
    }

    private static string GoldenText(string folder)
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "golden.json")));
        var texts = golden.RootElement.GetProperty("cases").EnumerateArray().Select(c => c.GetProperty("text").GetString()!)
            .Where(t => t.Length < 1000).ToArray();
        var result = new StringBuilder();
        while (result.Length < 2_000_000)
        {
            result.AppendJoin('\n', texts);
        }

        return result.ToString();
    }

    /// <summary>Words that mostly occur once, so that no cache helps.</summary>
    private static string RandomWords()
    {
        var random = new Random(1);
        var result = new StringBuilder();
        while (result.Length < 2_000_000)
        {
            for (var i = random.Next(2, 11); i > 0; i--)
            {
                result.Append((char)('a' + random.Next(26)));
            }

            result.Append(random.Next(12) == 0 ? ".\n" : " ");
        }

        return result.ToString();
    }

    /// <summary>A vocabulary of 256k tokens, each with its merge, as a real tokenizer.json writes them.</summary>
    private static void MeasureLoading()
    {
        using var folder = new BenchmarkFolder();
        var path = Path.Combine(folder.Path, "tokenizer.json");
        File.WriteAllText(path, LargeTokenizer(256_000));
        var best = double.MaxValue;
        for (var i = 0; i < 6; i++)
        {
            var watch = Stopwatch.StartNew();
            Tokenizer.Load(path);
            best = Math.Min(best, watch.Elapsed.TotalMilliseconds);
            if (i == 0)
            {
                Console.WriteLine($"load 256k tokens, first: {best:F0} ms");
            }
        }

        Console.WriteLine($"load 256k tokens, best of 6: {best:F0} ms ({new FileInfo(path).Length / 1e6:F1} MB)");
    }

    private static string LargeTokenizer(int count)
    {
        var words = new List<string>();
        var merges = new List<string>();
        for (var c = 'a'; c <= 'z'; c++)
        {
            words.Add(c.ToString());
        }

        for (var i = 0; words.Count < count; i++)
        {
            for (var c = 'a'; c <= 'z' && words.Count < count; c++)
            {
                merges.Add(words[i] + " " + c);
                words.Add(words[i] + c);
            }
        }

        var vocabulary = string.Join(",", words.Select((w, i) => $"\"{w}\":{i}"));
        return "{\"version\":\"1.0\",\"added_tokens\":[],\"model\":{\"type\":\"BPE\",\"vocab\":{" + vocabulary + "},\"merges\":["
            + string.Join(",", merges.Select(m => $"\"{m}\"")) + "]}}";
    }
}
