using System.Runtime.InteropServices;
using Sway.Tensors;

namespace Sway.Unit.Support;

/// <summary>A PEFT adapter of any size, made of known numbers.</summary>
internal static class SyntheticAdapter
{
    public static string Write(string folder, int layers, int rank, int width, float shift = 0f)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(
            Path.Combine(folder, "adapter_config.json"),
            $$"""{"peft_type":"LORA","r":{{rank}},"lora_alpha":{{2 * rank}},"target_modules":["q_proj"],"base_model_name_or_path":null}""");
        var tensors = new List<PlannedTensor>();
        for (int layer = 0; layer < layers; layer++)
        {
            string module = $"base_model.model.model.layers.{layer}.self_attn.q_proj";
            tensors.Add(new PlannedTensor(module + ".lora_A.weight", Numbers(layer + shift, rank, width)));
            tensors.Add(new PlannedTensor(module + ".lora_B.weight", Numbers(layer - shift, width, rank)));
        }

        SafetensorsWriter.Write(Path.Combine(folder, "adapter_model.safetensors"), tensors);
        return folder;
    }

    private static TensorExpression Numbers(float start, int rows, int columns)
    {
        float[] values = [.. Enumerable.Range(0, rows * columns).Select(i => start + ((i % 1013) / 1013f))];
        return new TensorView(
            new MemoryTensor("t", MemoryMarshal.AsBytes(values.AsSpan()).ToArray()), DType.F32, [rows, columns]);
    }
}
