using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Sway.Unit.Fuzzing;

/// <summary>Changes a file in the way its format invites, chosen by its name.</summary>
internal static class FileMutator
{
    private static readonly string[] s_yaml = ["&a", "*a", "!!set", "!!python/object:os.system", "- -", "[[[[", "{a: {", "? x", "|", ">", "~", "1e400", "0x10", "\"\\x\"", "'", "%", "\t"];

    public static byte[] Mutate(string name, byte[] bytes, Random random)
    {
        if (random.Next(4) == 0)
        {
            return ByteMutator.Mutate(bytes, random);
        }

        return Path.GetExtension(name) switch
        {
            ".json" => JsonMutator.Mutate(bytes, random),
            ".safetensors" => Safetensors(bytes, random),
            ".npz" or ".bin" => Zip(bytes, random),
            ".yaml" => Yaml(bytes, random),
            _ => ByteMutator.Mutate(bytes, random),
        };
    }

    private static byte[] Safetensors(byte[] bytes, Random random)
    {
        int length = (int)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(bytes), (ulong)(bytes.Length - 8));
        byte[] header = bytes[8..(8 + length)], data = bytes[(8 + length)..];
        if (random.Next(4) == 0)
        {
            return [.. bytes[..(8 + length)], .. random.Next(2) == 0 ? Numbers(data, random) : ByteMutator.Mutate(data, random)];
        }

        header = random.Next(3) == 0 ? Names(header, random) : JsonMutator.Mutate(header, random);
        byte[] prefix = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, random.Next(8) == 0 ? header.Length + random.Next(-9, 9) : header.Length);
        return [.. prefix, .. header, .. data];
    }

    /// <summary>Another digit or letter in a name: another layer, another module, another role.</summary>
    private static byte[] Names(byte[] header, Random random)
    {
        (string From, string To)[] pairs =
        [
            ("layers.0", "layers.1"), ("layers.1", "layers.7"), ("q_proj", "v_proj"), ("lora_A", "lora_B"), ("base_model.model.", ""), (".weight", ".default.weight"), (".weight", ""),
            ("F32", "BF16"), ("F32", "F64"), ("F32", "F8_E4M3"), ("lora_a", "lora_b"), ("experts.0", "experts.3"), ("model.", "module.model."), ("proj", "proj.base_layer"), ("lora_A", "lora_embedding_A"),
        ];
        string text = Encoding.Latin1.GetString(header);
        (string from, string to) = pairs[random.Next(pairs.Length)];
        if (random.Next(3) == 0)
        {
            return Encoding.Latin1.GetBytes(text.Replace(from, to, StringComparison.Ordinal));
        }

        int at = text.IndexOf(from, random.Next(text.Length), StringComparison.Ordinal);
        return at < 0 ? ByteMutator.Mutate(header, random) : Encoding.Latin1.GetBytes(text[..at] + to + text[(at + from.Length)..]);
    }

    private static byte[] Numbers(byte[] data, Random random)
    {
        byte[] copy = [.. data];
        uint[] words = [0x7FC00000, 0x7F800000, 0xFF800000, 0x00000001, 0x7F7FFFFF, 0x80000000, 0, 0x3F800000];
        for (int i = 0; i < 3 && copy.Length >= 4; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(copy.AsSpan(random.Next(copy.Length / 4) * 4), words[random.Next(words.Length)]);
        }

        return copy;
    }

    /// <summary>Changes one entry and packs the archive again, so that its directory fits.</summary>
    private static byte[] Zip(byte[] bytes, Random random)
    {
        if (bytes is not [(byte)'P', (byte)'K', ..] || random.Next(3) == 0)
        {
            return ByteMutator.Mutate(bytes, random);
        }

        using var output = new MemoryStream();
        using (var source = new ZipArchive(new MemoryStream(bytes)))
        using (var target = new ZipArchive(output, ZipArchiveMode.Create, leaveOpen: true))
        {
            ZipArchiveEntry[] entries = [.. source.Entries];
            int[] pickles = [.. Enumerable.Range(0, entries.Length).Where(i => entries[i].Name == "data.pkl")];
            int victim = pickles.Length > 0 && random.Next(4) > 0 ? pickles[0] : random.Next(entries.Length);
            for (int i = 0; i < entries.Length; i++)
            {
                using var content = new MemoryStream();
                using (Stream stream = entries[i].Open())
                {
                    stream.CopyTo(content);
                }

                bool compress = random.Next(20) == 0 || Path.GetExtension(entries[i].Name) == ".npy";
                string name = i == victim && random.Next(6) == 0 ? entries[random.Next(entries.Length)].FullName : entries[i].FullName;
                using Stream written = target.CreateEntry(name, compress ? CompressionLevel.Fastest : CompressionLevel.NoCompression).Open();
                written.Write(i == victim ? ByteMutator.Mutate(content.ToArray(), random) : content.ToArray());
            }
        }

        return output.ToArray();
    }

    private static byte[] Yaml(byte[] bytes, Random random)
    {
        List<string> lines = [.. Encoding.UTF8.GetString(bytes).Split('\n')];
        for (int round = random.Next(3); round >= 0; round--)
        {
            int at = random.Next(lines.Count);
            int colon = lines[at].IndexOf(':', StringComparison.Ordinal);
            switch (random.Next(7))
            {
                case 0:
                    lines.Insert(at, lines[random.Next(lines.Count)]);
                    break;
                case 1 when lines.Count > 1:
                    lines.RemoveAt(at);
                    break;
                case 2:
                    lines[at] = new string(' ', random.Next(6)) + lines[at];
                    break;
                case 3:
                    lines[at] = lines[at].TrimStart();
                    break;
                case 4:
                    lines[at] = new string(' ', random.Next(3000)) + new string('[', random.Next(5000));
                    break;
                default:
                    string[] values = [.. s_yaml, "-1", "0", "null", "true", "text", "99999999999999999999", ".nan", ".inf", ""];
                    lines[at] = colon < 0 ? values[random.Next(values.Length)] : lines[at][..(colon + 1)] + " " + values[random.Next(values.Length)];
                    break;
            }
        }

        return Encoding.UTF8.GetBytes(string.Join('\n', lines));
    }
}
