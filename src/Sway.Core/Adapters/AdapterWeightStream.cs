using System.Collections.Immutable;
using Sway.Tensors;

namespace Sway.Adapters;

/// <summary>One tensor of an adapter under its PEFT name.</summary>
/// <param name="Name">For example <c>model.layers.0.self_attn.q_proj.lora_A.weight</c>.</param>
/// <param name="DType">The element type of <paramref name="Bytes"/>.</param>
/// <param name="Shape">Dimensions, outermost first.</param>
/// <param name="Bytes">The elements, row-major, little-endian.</param>
public sealed record AdapterWeight(string Name, DType DType, ImmutableArray<long> Shape, byte[] Bytes);

/// <summary>Streams an adapter's factors one after the other, as Megatron-Bridge's <c>stream_adapter_weights</c> does.</summary>
public static class AdapterWeightStream
{
    /// <summary>Reads module by module: lora_A, lora_B, then the DoRA magnitude. Only the current tensor is in memory.</summary>
    /// <param name="adapter">An adapter without obstacles, under Hugging Face names.</param>
    /// <param name="dtype">The element type to convert to, rounded once to nearest even; null for the stored one.</param>
    /// <param name="cancellationToken">Stops between tensors.</param>
    /// <exception cref="ConversionRefusedException">The adapter has obstacles.</exception>
    public static IEnumerable<AdapterWeight> Read(LoraAdapter adapter, DType? dtype = null, CancellationToken cancellationToken = default) =>
        adapter.Obstacles.Count == 0
            ? ReadAll(adapter, dtype, cancellationToken)
            : throw new ConversionRefusedException(adapter.Path, adapter.Obstacles);

    private static IEnumerable<AdapterWeight> ReadAll(LoraAdapter adapter, DType? dtype, CancellationToken cancellationToken)
    {
        foreach (LoraModule module in adapter.Modules)
        {
            foreach ((string suffix, TensorExpression? value) in ((string, TensorExpression?)[])
                [(".lora_A.weight", module.A), (".lora_B.weight", module.B), (".lora_magnitude_vector", module.Magnitude)])
            {
                if (value is not null)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    TensorExpression cast = value.Cast(dtype ?? value.DType);
                    yield return new AdapterWeight(module.Path + suffix, cast.DType, cast.Shape, cast.ToBytes());
                }
            }
        }
    }
}
