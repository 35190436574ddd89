using System.Buffers.Binary;
using System.Text;
using Sway.Scoring;
using Sway.Tensors;

namespace Sway.Inference.Diagnostics;

/// <summary>Writes a small model or adapter of numbers that are the same on every machine, for an engine to be tried with.</summary>
internal sealed class MadeUpModel(string folder, ulong seed)
{
    private readonly SplitMix _random = new(seed);
    private readonly List<PlannedTensor> _tensors = [];

    /// <summary>The folder.</summary>
    public string Folder { get; } = Directory.CreateDirectory(folder).FullName;

    /// <summary>Adds a matrix as bfloat16, with numbers that keep activations near 1.</summary>
    public void Matrix(string name, int outputs, int inputs)
    {
        byte[] bytes = new byte[outputs * inputs * sizeof(ushort)];
        double scale = Math.Sqrt(3.0 / inputs);
        for (int i = 0; i < outputs * inputs; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(i * sizeof(ushort)), Half(Draw(scale)));
        }

        Add(name, DType.BF16, bytes, outputs, inputs);
    }

    /// <summary>Adds a matrix as mlx quantizes it: 4 bits in groups of 64, with scales and biases in bfloat16.</summary>
    public void Quantized(string module, int outputs, int inputs)
    {
        const int Group = 64;
        byte[] words = new byte[outputs * inputs / 2];
        for (int i = 0; i < words.Length; i++)
        {
            words[i] = (byte)(_random.NextDouble() * 256.0);
        }

        byte[] scales = new byte[outputs * (inputs / Group) * sizeof(ushort)];
        byte[] biases = new byte[scales.Length];
        for (int i = 0; i < scales.Length; i += sizeof(ushort))
        {
            double scale = Math.Sqrt(3.0 / inputs) / 8.0 * (0.75 + (0.5 * _random.NextDouble()));
            BinaryPrimitives.WriteUInt16LittleEndian(scales.AsSpan(i), Half(scale));
            BinaryPrimitives.WriteUInt16LittleEndian(biases.AsSpan(i), Half(-7.5 * scale));
        }

        Add(module + ".weight", DType.U32, words, outputs, inputs / 8);
        Add(module + ".scales", DType.BF16, scales, outputs, inputs / Group);
        Add(module + ".biases", DType.BF16, biases, outputs, inputs / Group);
    }

    /// <summary>Adds a vector of numbers near <paramref name="center"/> as float32.</summary>
    public void Vector(string name, int count, double center) => Floats(name, 0.1, center, count);

    /// <summary>Adds a matrix as float32.</summary>
    public void Factor(string name, int rows, int columns, double scale) => Floats(name, scale, 0.0, rows, columns);

    /// <summary>Writes the tensors and a configuration.</summary>
    public string Write(string tensorFile, string configFile, string configuration)
    {
        SafetensorsWriter.Write(Path.Combine(Folder, tensorFile), _tensors);
        File.WriteAllText(Path.Combine(Folder, configFile), configuration, new UTF8Encoding(false));
        return Folder;
    }

    private static ushort Half(double value) => (ushort)(BitConverter.SingleToUInt32Bits((float)value) >> 16);

    private void Floats(string name, double scale, double center, params int[] shape)
    {
        byte[] bytes = new byte[shape.Aggregate(1, (product, size) => product * size) * sizeof(float)];
        for (int i = 0; i < bytes.Length; i += sizeof(float))
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i), (float)(center + Draw(scale)));
        }

        Add(name, DType.F32, bytes, shape);
    }

    private double Draw(double scale) => ((2.0 * _random.NextDouble()) - 1.0) * scale;

    private void Add(string name, DType type, byte[] bytes, params int[] shape) =>
        _tensors.Add(new PlannedTensor(name, new TensorView(new Bytes(name, bytes), type, [.. shape.Select(size => (long)size)])));

    private sealed class Bytes(string name, byte[] bytes) : ITensorSource
    {
        public string Name => name;

        public void Read(long byteOffset, Span<byte> destination) => bytes.AsSpan(checked((int)byteOffset), destination.Length).CopyTo(destination);
    }
}
