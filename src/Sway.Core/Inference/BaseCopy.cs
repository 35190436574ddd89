using Sway.Adapters;

namespace Sway.Inference;

/// <summary>
/// Compares the copies of base weights that PEFT stores beside targeted embeddings and heads with the model's own: an adapter whose copy
/// differs was trained on another base, or on one whose vocabulary was changed.
/// </summary>
internal static class BaseCopy
{
    private const int RowsAtOnce = 1024;

    // One rounding to bfloat16, the coarsest type in which adapters are stored.
    private const float Tolerance = 1f / 128f;

    /// <summary>Why the copy is not the model's own tensor; null when it is.</summary>
    /// <param name="engine">The engine that holds the model.</param>
    /// <param name="linear">The layer that the copy belongs to.</param>
    /// <param name="extra">The copy, of a weight or a bias.</param>
    /// <param name="exact">Whether the model's numbers are those it was trained with, not quantized ones.</param>
    public static string? Difference(IEngine engine, LoadedLinear linear, AdapterExtra extra, bool exact)
    {
        var (outputs, inputs) = (linear.Spec.Outputs, linear.Spec.Inputs);
        if (extra.Value.Rank == 1)
        {
            return linear.Bias is null || extra.Value.ElementCount != outputs ? "the model has no such bias"
                : SameNumbers(extra.Value.ToSingleArray(), engine.Read(linear.Bias)) ? null : "its numbers are not the model's";
        }

        var (rows, columns) = linear.Spec.Transposed ? (inputs, outputs) : (outputs, inputs);
        if (extra.Value.Rank != 2 || extra.Value.Shape[0] != rows || extra.Value.Shape[1] != columns)
        {
            return $"the model's has {rows} x {columns} numbers";
        }

        if (!exact)
        {
            return null;
        }

        var value = linear.Spec.Transposed ? extra.Value.Transpose() : extra.Value;
        for (var first = 0; first < outputs; first += RowsAtOnce)
        {
            var count = Math.Min(RowsAtOnce, outputs - first);
            var copy = value.Slice(0, first, count).ToSingleArray();
            using var own = engine.Embed(linear.Weight, [.. Enumerable.Range(first, count)]);
            for (var row = 0; row < count; row++)
            {
                if (!SameNumbers(copy.AsSpan(row * inputs, inputs), engine.Row(own, row)))
                {
                    return "its numbers are not the model's";
                }
            }
        }

        return null;
    }

    private static bool SameNumbers(ReadOnlySpan<float> copy, ReadOnlySpan<float> own)
    {
        for (var i = 0; i < copy.Length; i++)
        {
            // Written so that NaN differs; the least normal number of float16 stands for what vanishes in it.
            if (!(Math.Abs(copy[i] - own[i]) <= (Tolerance * Math.Abs(own[i])) + 6.2e-5f))
            {
                return false;
            }
        }

        return true;
    }
}
