using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Sway.Benchmarks;

/// <summary>
/// What <c>sway inspect</c> of a 10 GB adapter takes beyond the start of a process. The other process of each round is this program
/// with an argument that makes it return at once: the same host and runtime, and nothing of Sway.
/// </summary>
internal static class StartupBenchmark
{
    /// <summary>The argument that returns at once.</summary>
    public const string Nothing = "nothing";

    private const int Rounds = 30;
    private const int Rank = 1000;

    public static int Run(string[] arguments)
    {
        string command = arguments.Length > 0 ? arguments[0] : FindCommand();
        using var temporary = new BenchmarkFolder();
        string folder = temporary.Path;
        long length = WriteSparseAdapter(folder);
        string self = Path.Combine(AppContext.BaseDirectory, "Sway.Benchmarks.dll");
        var empty = new List<double>();
        var inspecting = new List<double>();
        for (int round = -3; round < Rounds; round++)
        {
            double first = Time("dotnet", self, Nothing);
            double second = command.EndsWith(".dll", StringComparison.Ordinal) ? Time("dotnet", command, "inspect", folder) : Time(command, "inspect", folder);
            if (round >= 0)
            {
                empty.Add(first);
                inspecting.Add(second);
            }
        }

        Console.WriteLine(FormattableString.Invariant(
            $"inspect of {length / 1e9:0.0} GB, medians (best) of {Rounds} in ms: {Median(inspecting):0.0} ({inspecting.Min():0.0}); an empty program {Median(empty):0.0} ({empty.Min():0.0}); over process start {Median(inspecting) - Median(empty):0.0} ({inspecting.Min() - empty.Min():0.0})"));
        return 0;
    }

    private static double Time(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, UseShellExecute = false };
        long begun = Stopwatch.GetTimestamp();
        using Process process = Process.Start(start)!;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        double milliseconds = Stopwatch.GetElapsedTime(begun).TotalMilliseconds;
        return process.ExitCode == 0 ? milliseconds : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} failed.");
    }

    private static string FindCommand()
    {
        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            string built = Path.Combine(folder, "src", "Sway.Cli", "bin", "Release", "net10.0", "sway.dll");
            if (File.Exists(built))
            {
                return built;
            }
        }

        throw new FileNotFoundException("src/Sway.Cli is not built in Release; name sway.dll, or a published sway.");
    }

    private static long WriteSparseAdapter(string folder)
    {
        var header = new StringBuilder("{");
        long offset = 0;
        void Add(string name, long rows, long columns)
        {
            long end = offset + (rows * columns * sizeof(float));
            header.Append(header.Length > 1 ? "," : "").Append(
                CultureInfo.InvariantCulture, $"\"{name}\":{{\"dtype\":\"F32\",\"shape\":[{rows},{columns}],\"data_offsets\":[{offset},{end}]}}");
            offset = end;
        }

        for (int layer = 0; layer < 32; layer++)
        {
            foreach ((string name, int inputs, int outputs) in ConversionBenchmark.Modules)
            {
                Add($"base_model.model.model.layers.{layer}.{name}.lora_A.weight", Rank, inputs);
                Add($"base_model.model.model.layers.{layer}.{name}.lora_B.weight", outputs, Rank);
            }
        }

        byte[] text = Encoding.UTF8.GetBytes(header.Append('}').ToString());
        byte[] prefix = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)text.Length);
        using FileStream file = File.Create(Path.Combine(folder, "adapter_model.safetensors"));
        file.Write(prefix);
        file.Write(text);
        file.SetLength(file.Length + offset);
        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), FormattableString.Invariant($$"""{"peft_type":"LORA","r":{{Rank}},"lora_alpha":32,"target_modules":["q_proj"]}"""));
        return file.Length;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
