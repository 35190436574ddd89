using Sway.Adapters;
using Sway.Tensors;

namespace Sway.Conversion.Peft;

/// <summary>Says what becomes of each tensor of the source.</summary>
internal static class PeftFates
{
    /// <summary>One fate for each tensor, in the source's order; what is left out comes last.</summary>
    public static List<TensorFate> Of(LoraAdapter adapter, (PlannedTensor Tensor, IReadOnlyList<string> Sources)[] tensors)
    {
        Dictionary<string, List<PlannedTensor>> outputs = Outputs(tensors);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var fates = new List<TensorFate>();
        foreach (string name in adapter.Modules.SelectMany(module => module.SourceTensors).Where(seen.Add))
        {
            List<PlannedTensor> own = outputs.GetValueOrDefault(name, []);
            string how = own.TrueForAll(output => output.Value.KeepsBits) ? "its elements in PEFT's order" : "its elements, converted";
            fates.Add(new TensorFate(name, [.. own.Select(output => output.Name)], how));
        }

        fates.AddRange(adapter.Extras.Select(extra => new TensorFate(extra.Name, [], $"left out: {extra.Kind}")));
        return fates;
    }

    /// <summary>The output tensors that hold elements of each source tensor.</summary>
    private static Dictionary<string, List<PlannedTensor>> Outputs((PlannedTensor Tensor, IReadOnlyList<string> Sources)[] tensors)
    {
        var outputs = new Dictionary<string, List<PlannedTensor>>(StringComparer.Ordinal);
        foreach ((PlannedTensor tensor, IReadOnlyList<string> sources) in tensors)
        {
            // An expression that was given another shape names its sources as one text.
            var held = tensor.Value.Sources.SelectMany(source => source.Split(" + ")).ToHashSet(StringComparer.Ordinal);
            foreach (string name in sources.Distinct(StringComparer.Ordinal).Where(held.Contains))
            {
                if (!outputs.TryGetValue(name, out List<PlannedTensor>? list))
                {
                    outputs.Add(name, list = []);
                }

                list.Add(tensor);
            }
        }

        return outputs;
    }
}
