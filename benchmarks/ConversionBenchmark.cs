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
    private const int Rounds = 7;

    private static readonly (string Name, int In, int Out)[] s_modules =
    [
        ("self_attn.q_proj", 4096, 4096), ("self_attn.k_proj", 4096, 1024), ("self_attn.v_proj", 4096, 1024), ("self_attn.o_proj", 4096, 4096),
        ("mlp.gate_proj", 4096, 14336), ("mlp.up_proj", 4096, 14336), ("mlp.down_proj", 14336, 4096),
    ];

    public static int Run(string[] arguments)
    {
        string root = arguments.Length > 0 ? arguments[0] : Directory.CreateTempSubdirectory("sway-bench-").FullName;
        foreach (DType dtype in (DType[])[DType.F32, DType.BF16])
        {
            string source = Path.Combine(root, $"adapter-{dtype}");
            long bytes = WriteAdapter(source, dtype);
            string file = Path.Combine(source, "adapter_model.safetensors");
            var converting = new List<double>();
            var copying = new List<double>();
            var plain = new List<double>();
            long peak = 0;
            for (int round = 0; round < Rounds; round++)
            {
                plain.Add(Time(() => Replace(Path.Combine(root, "plain"), to => ReadWriteFlush(file, to))));
                copying.Add(Time(() => Replace(Path.Combine(root, "copy"), to => Process.Start("cp", [file, to]).WaitForExit())));
                converting.Add(Time(() => AdapterConverter.Convert(source, Path.Combine(root, "out"), new ConversionOptions { NoBaseLookup = true, Force = true })));
                peak = Math.Max(peak, GC.GetGCMemoryInfo().HeapSizeBytes);
            }

            Console.WriteLine(FormattableString.Invariant(
                $"{dtype,-5} {bytes / 1e6,6:0} MB  convert {Median(converting) * 1e3,7:0.0} ms  read+write+fsync {Median(plain) * 1e3,7:0.0} ms  cp {Median(copying) * 1e3,7:0.0} ms  ratio {Median(converting) / Median(plain):0.00} of read+write+fsync, {Median(converting) / Median(copying):0.00} of cp  managed heap {peak / 1e6:0} MB"));
        }

        Directory.Delete(root, recursive: true);
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
            foreach ((string name, int inputs, int outputs) in s_modules)
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

    private static void ReadWriteFlush(string from, string to)
    {
        byte[] buffer = new byte[4 << 20];
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

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private sealed class Noise(byte[] bytes) : ITensorSource
    {
        public string Name => "noise";

        public void Read(long byteOffset, Span<byte> destination) => bytes.AsSpan((int)byteOffset, destination.Length).CopyTo(destination);
    }
}
