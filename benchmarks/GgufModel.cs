using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Sway.Benchmarks;

/// <summary>The synthetic model as a GGUF file (version 3) in float32 with random weights and a vocabulary of bytes and invented words.</summary>
internal static class GgufModel
{
    private const uint UInt32Kind = 4, Int32Kind = 5, FloatKind = 6, StringKind = 8, ArrayKind = 9;

    private const int Alignment = 32;

    /// <summary>Writes the file.</summary>
    public static void Write(string path)
    {
        (string Name, int[] Shape)[] tensors = [.. Tensors()];
        using var writer = new BinaryWriter(File.Create(path), Encoding.UTF8);
        List<Action> fields = [.. Fields(writer)];
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write((ulong)tensors.Length);
        writer.Write((ulong)fields.Count);
        fields.ForEach(field => field());
        long offset = 0;
        foreach ((string name, int[] shape) in tensors)
        {
            Text(writer, name);
            writer.Write((uint)shape.Length);
            foreach (int side in shape)
            {
                writer.Write((ulong)side);
            }

            writer.Write(0u);
            writer.Write((ulong)offset);
            offset += Aligned(Bytes(shape));
        }

        Pad(writer);
        byte[] noise = Noise();
        long at = 0;
        foreach ((_, int[] shape) in tensors)
        {
            if (shape.Length == 1)
            {
                writer.Write(MemoryMarshal.AsBytes<float>([.. Enumerable.Repeat(1f, shape[0])]));
            }
            else
            {
                for (long left = Bytes(shape); left > 0;)
                {
                    int count = (int)Math.Min(left, noise.Length - at);
                    writer.Write(noise, (int)at, count);
                    at = (at + count) % noise.Length;
                    left -= count;
                }
            }

            Pad(writer);
        }
    }

    private static IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        yield return ("token_embd.weight", [SyntheticModel.Hidden, SyntheticModel.Vocabulary]);
        for (int i = 0; i < SyntheticModel.Layers; i++)
        {
            string block = string.Create(CultureInfo.InvariantCulture, $"blk.{i}.");
            yield return (block + "attn_norm.weight", [SyntheticModel.Hidden]);
            yield return (block + "attn_q.weight", [SyntheticModel.Hidden, SyntheticModel.Hidden]);
            yield return (block + "attn_k.weight", [SyntheticModel.Hidden, SyntheticModel.KeyWidth]);
            yield return (block + "attn_v.weight", [SyntheticModel.Hidden, SyntheticModel.KeyWidth]);
            yield return (block + "attn_output.weight", [SyntheticModel.Hidden, SyntheticModel.Hidden]);
            yield return (block + "ffn_norm.weight", [SyntheticModel.Hidden]);
            yield return (block + "ffn_gate.weight", [SyntheticModel.Hidden, SyntheticModel.Width]);
            yield return (block + "ffn_up.weight", [SyntheticModel.Hidden, SyntheticModel.Width]);
            yield return (block + "ffn_down.weight", [SyntheticModel.Width, SyntheticModel.Hidden]);
        }

        yield return ("output_norm.weight", [SyntheticModel.Hidden]);
    }

    private static IEnumerable<Action> Fields(BinaryWriter writer)
    {
        string[] tokens =
        [
            "<unk>", "<s>", "</s>", .. Enumerable.Range(0, 256).Select(value => $"<0x{value:X2}>"),
            .. Enumerable.Range(0, SyntheticModel.Vocabulary - 259).Select(value => string.Create(CultureInfo.InvariantCulture, $"word{value}")),
        ];

        // 1 = ordinary, 2 = unknown, 3 = control, 6 = byte.
        int[] kinds = [2, 3, 3, .. Enumerable.Repeat(6, 256), .. Enumerable.Repeat(1, SyntheticModel.Vocabulary - 259)];
        yield return () => String(writer, "general.architecture", "llama");
        yield return () => String(writer, "general.name", "synthetic");
        foreach ((string key, int value) in ((string, int)[])[
            ("context_length", 8192), ("embedding_length", SyntheticModel.Hidden), ("block_count", SyntheticModel.Layers), ("feed_forward_length", SyntheticModel.Width), ("rope.dimension_count", 64),
            ("attention.head_count", 9), ("attention.head_count_kv", 3), ("vocab_size", SyntheticModel.Vocabulary)])
        {
            yield return () => Number(writer, "llama." + key, value);
        }

        yield return () => Single(writer, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
        yield return () => Single(writer, "llama.rope.freq_base", 100_000f);
        yield return () => String(writer, "tokenizer.ggml.model", "llama");
        yield return () => Array(writer, "tokenizer.ggml.tokens", StringKind, tokens, token => Text(writer, token));
        yield return () => Array(writer, "tokenizer.ggml.scores", FloatKind, tokens, _ => writer.Write(0f));
        yield return () => Array(writer, "tokenizer.ggml.token_type", Int32Kind, kinds, writer.Write);
        yield return () => Number(writer, "tokenizer.ggml.bos_token_id", 1);
        yield return () => Number(writer, "tokenizer.ggml.eos_token_id", 2);
        yield return () => Number(writer, "tokenizer.ggml.unknown_token_id", 0);
    }

    private static void Key(BinaryWriter writer, string key, uint kind)
    {
        Text(writer, key);
        writer.Write(kind);
    }

    private static void String(BinaryWriter writer, string key, string value)
    {
        Key(writer, key, StringKind);
        Text(writer, value);
    }

    private static void Number(BinaryWriter writer, string key, int value)
    {
        Key(writer, key, UInt32Kind);
        writer.Write((uint)value);
    }

    private static void Single(BinaryWriter writer, string key, float value)
    {
        Key(writer, key, FloatKind);
        writer.Write(value);
    }

    private static void Array<T>(BinaryWriter writer, string key, uint kind, T[] values, Action<T> write)
    {
        Key(writer, key, ArrayKind);
        writer.Write(kind);
        writer.Write((ulong)values.Length);
        foreach (T value in values)
        {
            write(value);
        }
    }

    private static void Text(BinaryWriter writer, string value)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(value);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private static void Pad(BinaryWriter writer)
    {
        writer.Flush();
        writer.Write(new byte[Aligned(writer.BaseStream.Position) - writer.BaseStream.Position]);
    }

    private static long Bytes(int[] shape) => shape.Aggregate(4L, (bytes, side) => bytes * side);

    private static long Aligned(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    private static byte[] Noise()
    {
        var random = new Random(1);
        return MemoryMarshal.AsBytes<float>([.. Enumerable.Range(0, 1_000_003).Select(_ => (float)((random.NextDouble() - 0.5) * 0.08))]).ToArray();
    }
}
