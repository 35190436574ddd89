using System.Diagnostics;
using System.Text;
using Sway.Conversion;
using Sway.Tensors;

namespace Sway.Benchmarks;

/// <summary>
/// Converts an adapter of the shape of an 8B model (32 layers, seven linear kinds, rank 16) and compares the time with a plain
/// read, write and flush of the same bytes, and with cp, in the same run.
/// </summary>
internal static class ConversionBenchmark
{
    private const int Rounds = 15;

    /// <summary>The adapted modules of a layer: name, inputs, outputs.</summary>
    internal static readonly (string Name, int In, int Out)[] Modules =
    [
        ("self_attn.q_proj", 4096, 4096), ("self_attn.k_proj", 4096, 1024), ("self_attn.v_proj", 4096, 1024), ("self_attn.o_proj", 4096, 4096),
        ("mlp.gate_proj", 4096, 14336), ("mlp.up_proj", 4096, 14336), ("mlp.down_proj", 14336, 4096),
    ];

    // Once for all rounds, so that the heap's size is the conversion's.
    private static readonly byte[] s_buffer = new byte[4 << 20];

    public static int Run(string[] arguments)
    {
        using var folder = new BenchmarkFolder(arguments.Length > 0 ? arguments[0] : null);
        string root = folder.Path;
        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            string source = Path.Combine(root, $"adapter-{dtype}");
            long bytes = WriteAdapter(source, dtype);
            string file = Path.Combine(source, "adapter_model.safetensors");
            var converting = new List<double>();
            var copying = new List<double>();
            var plain = new List<double>();
            long peak = 0;
            (List<double> Times, Action Run)[] kinds =
            [
                (plain, () => Replace(Path.Combine(root, "plain"), to => ReadWriteFlush(file, to))),
                (copying, () => Replace(Path.Combine(root, "copy"), to => Process.Start("cp", [file, to]).WaitForExit())),
                (converting, () => AdapterConverter.Convert(source, Path.Combine(root, "out"), new ConversionOptions { NoBaseLookup = true, Force = true })),
            ];

            // The first rounds have no old output to replace, and compile. None always follows the same other.
            for (int round = -2; round < Rounds; round++)
            {
                for (int k = 0; k < kinds.Length; k++)
                {
                    (List<double> times, Action run) = kinds[(k + Math.Abs(round)) % kinds.Length];
                    double seconds = Time(run);
                    if (round >= 0)
                    {
                        times.Add(seconds);
                    }

                    peak = Math.Max(peak, Math.Max(GC.GetTotalMemory(false), GC.GetGCMemoryInfo().HeapSizeBytes));
                }
            }

            Console.WriteLine(FormattableString.Invariant(
                $"{dtype,-5} {bytes / 1e6:0} MB, medians (best) of {Rounds} in ms: convert {Text(converting)}, read+write+fsync {Text(plain)}, cp, which flushes nothing, {Text(copying)}; ratio {Median(converting) / Median(plain):0.00} ({converting.Min() / plain.Min():0.00}) of read+write+fsync, {Median(converting) / Median(copying):0.00} ({converting.Min() / copying.Min():0.00}) of cp; managed heap {peak / 1e6:0} MB"));
        }

        return 0;
    }

    private static long WriteAdapter(string folder, DType dtype)
    {
        Directory.CreateDirectory(folder);
        var random = new Random(1);
        byte[] noise = new byte[16 * 14336 * 4];
        for (int i = 0; i < noise.Length; i += 4)
        {
            BitConverter.TryWriteBytes(noise.AsSpan(i), (float)(random.NextDouble() - 0.5));
        }

        var tensors = new List<PlannedTensor>();
        for (int layer = 0; layer < 32; layer++)
        {
            foreach ((string name, int inputs, int outputs) in Modules)
            {
                string path = $"base_model.model.model.layers.{layer}.{name}";
                tensors.Add(new PlannedTensor($"{path}.lora_A.weight", new TensorView(new Noise(noise), DType.F32, [16, inputs]).Cast(dtype)));
                tensors.Add(new PlannedTensor($"{path}.lora_B.weight", new TensorView(new Noise(noise), DType.F32, [outputs, 16]).Cast(dtype)));
            }
        }

        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), """{"peft_type":"LORA","r":16,"lora_alpha":32,"target_modules":["q_proj"]}""", Encoding.UTF8);
        string path2 = Path.Combine(folder, "adapter_model.safetensors");
        return SafetensorsWriter.Write(path2, tensors);
    }

    /// <summary>What a program does that writes a changed copy in the plain way: one buffer of 4 MB, read, write, and one flush at the
    /// end. The conversion's destination folder, configuration and rename come on top of this.</summary>
    private static void ReadWriteFlush(string from, string to)
    {
        byte[] buffer = s_buffer;
        using Microsoft.Win32.SafeHandles.SafeFileHandle source = File.OpenHandle(from);
        using Microsoft.Win32.SafeHandles.SafeFileHandle target = File.OpenHandle(to, FileMode.Create, FileAccess.Write);
        long position = 0;
        for (int read = RandomAccess.Read(source, buffer, 0); read > 0; read = RandomAccess.Read(source, buffer, position))
        {
            RandomAccess.Write(target, buffer.AsSpan(0, read), position);
            position += read;
        }

        RandomAccess.FlushToDisk(target);
    }

    /// <summary>Writes beside the old file and then replaces it, as the conversion does: pages of a file that is only
    /// overwritten are recycled, which would flatter the copies.</summary>
    private static void Replace(string path, Action<string> write)
    {
        write(path + ".new");
        File.Move(path + ".new", path, overwrite: true);
    }

    private static double Time(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static string Text(List<double> seconds) => FormattableString.Invariant($"{Median(seconds) * 1e3:0.0} ({seconds.Min() * 1e3:0.0})");

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private sealed class Noise(byte[] bytes) : ITensorSource
    {
        public string Name => "noise";

        public void Read(long byteOffset, Span<byte> destination) => bytes.AsSpan((int)byteOffset, destination.Length).CopyTo(destination);
    }
}
