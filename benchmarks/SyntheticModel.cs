using System.Globalization;
using System.Runtime.InteropServices;
using Sway.Tensors;

namespace Sway.Benchmarks;

/// <summary>A model of the shape of SmolLM2-135M with random weights, plain (bfloat16) or as mlx quantizes to 4 bits, and adapters on it.</summary>
internal static class SyntheticModel
{
    public const int Vocabulary = 49152;

    public const int Hidden = 576, Layers = 30, KeyWidth = 192, Width = 1536;

    private const int Group = 64;

    private static readonly (string Name, int Outputs, int Inputs)[] s_linears =
    [
        ("self_attn.q_proj", Hidden, Hidden), ("self_attn.k_proj", KeyWidth, Hidden), ("self_attn.v_proj", KeyWidth, Hidden),
        ("self_attn.o_proj", Hidden, Hidden), ("mlp.gate_proj", Width, Hidden), ("mlp.up_proj", Width, Hidden), ("mlp.down_proj", Hidden, Width),
    ];

    /// <summary>Writes a model.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="quantized">Whether in 4 bits.</param>
    /// <param name="single">Whether in float32, not bfloat16, where not quantized.</param>
    /// <returns>Bytes of its weight file.</returns>
    public static long Write(string folder, bool quantized, bool single = false)
    {
        Directory.CreateDirectory(folder);
        var tensors = new List<PlannedTensor>();
        DType dtype = single ? DType.F32 : DType.BF16;
        Linear(tensors, "model.embed_tokens", Vocabulary, Hidden, quantized, dtype);
        for (int layer = 0; layer < Layers; layer++)
        {
            string path = $"model.layers.{layer}";
            foreach ((string name, int outputs, int inputs) in s_linears)
            {
                Linear(tensors, $"{path}.{name}", outputs, inputs, quantized, dtype);
            }

            tensors.Add(Ones($"{path}.input_layernorm.weight"));
            tensors.Add(Ones($"{path}.post_attention_layernorm.weight"));
        }

        tensors.Add(Ones("model.norm.weight"));
        string quantization = quantized ? $$""","quantization":{"group_size":{{Group}},"bits":4,"mode":"affine"}""" : string.Empty;
        File.WriteAllText(
            Path.Combine(folder, "config.json"),
            $$"""
            {"model_type":"llama","vocab_size":{{Vocabulary}},"hidden_size":{{Hidden}},"num_hidden_layers":{{Layers}},"num_attention_heads":9,
            "num_key_value_heads":3,"intermediate_size":{{Width}},"max_position_embeddings":8192,"rope_theta":100000.0,"rms_norm_eps":1e-5,
            "hidden_act":"silu","tie_word_embeddings":true{{quantization}}}
            """);
        return SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), tensors);
    }

    /// <summary>Writes a LoRA adapter of rank 8 on all linear layers from one layer on.</summary>
    /// <returns>Bytes of its weight file.</returns>
    public static long WriteAdapter(string folder, int firstLayer)
    {
        Directory.CreateDirectory(folder);
        var tensors = new List<PlannedTensor>();
        for (int layer = firstLayer; layer < Layers; layer++)
        {
            foreach ((string name, int outputs, int inputs) in s_linears)
            {
                string path = $"base_model.model.model.layers.{layer}.{name}";
                tensors.Add(Random($"{path}.lora_A.weight", DType.F32, 8, inputs));
                tensors.Add(Random($"{path}.lora_B.weight", DType.F32, outputs, 8));
            }
        }

        string targets = string.Join(',', s_linears.Select(linear => $"\"{linear.Name[(linear.Name.IndexOf('.', StringComparison.Ordinal) + 1)..]}\""));
        string layers = string.Join(',', Enumerable.Range(firstLayer, Layers - firstLayer).Select(i => i.ToString(CultureInfo.InvariantCulture)));
        File.WriteAllText(
            Path.Combine(folder, "adapter_config.json"),
            $$"""{"peft_type":"LORA","r":8,"lora_alpha":16,"target_modules":[{{targets}}],"layers_to_transform":[{{layers}}]}""");
        return SafetensorsWriter.Write(Path.Combine(folder, "adapter_model.safetensors"), tensors);
    }

    private static void Linear(List<PlannedTensor> tensors, string module, int outputs, int inputs, bool quantized, DType dtype)
    {
        if (!quantized)
        {
            tensors.Add(Random(module + ".weight", dtype, outputs, inputs));
            return;
        }

        tensors.Add(new PlannedTensor(module + ".weight", new TensorView(RandomBytes.Words, DType.U32, [outputs, inputs / 8])));
        tensors.Add(Random(module + ".scales", DType.BF16, outputs, inputs / Group));
        tensors.Add(Random(module + ".biases", DType.BF16, outputs, inputs / Group));
    }

    private static PlannedTensor Random(string name, DType dtype, int rows, int columns) =>
        new(name, new TensorView(dtype == DType.F32 ? RandomBytes.Singles : RandomBytes.BFloats, dtype, [rows, columns]));

    private static PlannedTensor Ones(string name) => new(name, new TensorView(RandomBytes.Ones, DType.BF16, [Hidden]));

    /// <summary>A table of numbers that is read round and round.</summary>
    private sealed class RandomBytes(byte[] table) : ITensorSource
    {
        public static RandomBytes Singles { get; } = new(MemoryMarshal.AsBytes<float>(Numbers(1)).ToArray());

        public static RandomBytes BFloats { get; } = new(MemoryMarshal.AsBytes<ushort>([.. Numbers(2).Select(ElementConversion.ToBFloat16)]).ToArray());

        public static RandomBytes Words { get; } = new(Bytes(3));

        public static RandomBytes Ones { get; } = new(MemoryMarshal.AsBytes<ushort>([.. Enumerable.Repeat((ushort)0x3F80, 4096)]).ToArray());

        public string Name => "noise";

        public void Read(long byteOffset, Span<byte> destination)
        {
            while (destination.Length > 0)
            {
                ReadOnlySpan<byte> from = table.AsSpan((int)(byteOffset % table.Length));
                int count = Math.Min(from.Length, destination.Length);
                from[..count].CopyTo(destination);
                destination = destination[count..];
                byteOffset += count;
            }
        }

        // An odd count, so that rows differ.
        private static float[] Numbers(int seed)
        {
            var random = new Random(seed);
            return [.. Enumerable.Range(0, 1_000_003).Select(_ => (float)((random.NextDouble() - 0.5) * 0.08))];
        }

        private static byte[] Bytes(int seed)
        {
            byte[] bytes = new byte[4 * 1_000_003];
            new Random(seed).NextBytes(bytes);
            return bytes;
        }
    }
}
