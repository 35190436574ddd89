using Sway.Adapters;

namespace Sway.Inference;

/// <summary>Reads factors and refuses numbers that are not finite, naming the tensor.</summary>
internal static class Finite
{
    /// <summary>A factor of a module.</summary>
    public static float[] Read(LoraAdapter adapter, LoraModule module, Tensors.TensorExpression factor, string which)
    {
        var name = factor.Sources.FirstOrDefault() ?? $"{module.Path} ({which})";

        // Pinned from the start: an engine on the host computes with these numbers where they are.
        var values = GC.AllocateUninitializedArray<float>(checked((int)factor.ElementCount), pinned: true);
        factor.ReadSingles(values);
        return Check(adapter, values, name);
    }

    /// <summary>Values of a tensor.</summary>
    public static float[] Check(LoraAdapter adapter, float[] values, string name)
    {
        var bad = Array.FindIndex(values, value => !float.IsFinite(value));
        return bad < 0
            ? values
            : throw new AdapterFormatException($"{adapter.Path}: \"{name}\" holds a number that is not finite (element {bad}).")
            {
                Path = adapter.Path,
                Tensors = [name],
            };
    }
}
