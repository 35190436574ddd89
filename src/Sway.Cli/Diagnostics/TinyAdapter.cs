using System.Buffers.Binary;
using System.Text;

namespace Sway.Cli.Diagnostics;

/// <summary>The smallest PEFT adapter: one module of rank 2, made of known numbers.</summary>
internal static class TinyAdapter
{
    private const int Rank = 2;
    private const int Size = 8;

    /// <summary>Writes it below <paramref name="parent"/> and returns its folder.</summary>
    internal static string Write(string parent)
    {
        string folder = Directory.CreateDirectory(Path.Combine(parent, "tiny")).FullName;
        File.WriteAllText(
            Path.Combine(folder, "adapter_config.json"),
            """{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["q_proj"],"base_model_name_or_path":null}""");
        const string Module = "base_model.model.model.layers.0.self_attn.q_proj";
        const int Bytes = Rank * Size * sizeof(float);
        string header =
            $$"""{"{{Module}}.lora_A.weight":{"dtype":"F32","shape":[{{Rank}},{{Size}}],"data_offsets":[0,{{Bytes}}]},"""
            + $$""" "{{Module}}.lora_B.weight":{"dtype":"F32","shape":[{{Size}},{{Rank}}],"data_offsets":[{{Bytes}},{{2 * Bytes}}]}""" + "}";
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] file = new byte[sizeof(long) + json.Length + (2 * Bytes)];
        BinaryPrimitives.WriteInt64LittleEndian(file, json.Length);
        json.CopyTo(file, sizeof(long));
        Span<byte> data = file.AsSpan(sizeof(long) + json.Length);
        for (int i = 0; i < data.Length / sizeof(float); i++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(data[(i * sizeof(float))..], (i - 7) / 8f);
        }

        File.WriteAllBytes(Path.Combine(folder, "adapter_model.safetensors"), file);
        return folder;
    }
}
