using System.Text.Json;
using Sway.Adapters;
using Sway.Adapters.Peft;
using Sway.Tensors;

namespace Sway.Conversion.Mlx;

/// <summary>
/// Initialisations that subtract the first product from the base (PiSSA, OLoRA, CorDA, LoRA-GA): the delta on the original base
/// is s * (B A - B0 A0), an adapter of twice the rank, where the initial factors are at hand.
/// </summary>
internal static class InitialFactors
{
    public static void Resolve(MlxResolution resolution, LoraAdapter? initial)
    {
        LoraAdapter adapter = resolution.Adapter;
        if (adapter.Format != AdapterFormat.Peft || Kind(adapter) is not { } kind)
        {
            if (initial is not null)
            {
                resolution.Refusals.AddWithRemedy(
                    RefusalCategory.MutatedBase,
                    "An adapter at its initialisation was given, but this one's configuration says that its initialisation left the base as it was.",
                    "Leave -InitialAdapter (--initial-adapter) out, or give the adapter before PEFT converted it.");
            }

            return;
        }

        if (initial is not null)
        {
            FromInitialAdapter(resolution, initial);
        }
        else if (kind is Initialisation.Pissa or Initialisation.Olora && resolution.Base?.Weights is not null)
        {
            FromBase(resolution, kind);
        }
        else
        {
            resolution.Refusals.AddWithRemedy(
                RefusalCategory.MutatedBase,
                $"The adapter was initialised with {adapter.Config.GetProperty("init_lora_weights").GetString()}, which changed the base weights.",
                kind == Initialisation.NeedsInitialAdapter
                    ? "Give the adapter at its initialisation with -InitialAdapter (--initial-adapter)."
                    : "Give the base with its weights (-BaseModel, --base) or the adapter at its initialisation (-InitialAdapter, --initial-adapter).");
        }
    }

    /// <summary>True for an adapter whose factors are no delta on the original base, but on one that its initialisation changed.</summary>
    public static bool ChangedBase(LoraAdapter adapter) => adapter.Format == AdapterFormat.Peft && Kind(adapter) is not null;

    private static Initialisation? Kind(LoraAdapter adapter)
    {
        string text = adapter.Config.TryGetProperty("init_lora_weights", out JsonElement value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!.ToLowerInvariant()
            : "";
        return text switch
        {
            "pissa" => Initialisation.Pissa,
            "olora" => Initialisation.Olora,
            "corda" or "lora_ga" => Initialisation.NeedsInitialAdapter,
            _ when text.StartsWith("pissa_niter_", StringComparison.Ordinal) => Initialisation.NeedsInitialAdapter,
            _ => null,
        };
    }

    private static void FromInitialAdapter(MlxResolution resolution, LoraAdapter initial)
    {
        var start = initial.Modules.ToDictionary(module => module.Path, StringComparer.Ordinal);
        var trained = resolution.Adapter.Modules.ToDictionary(module => module.SourceTensors[0], StringComparer.Ordinal);
        for (int i = 0; i < resolution.Modules.Count; i++)
        {
            MlxModule module = resolution.Modules[i];
            LoraModule source = trained[module.SourceTensors[0]];
            if (module.Kind == MlxModuleKind.Switch || !start.TryGetValue(source.Path, out LoraModule? first)
                || first.Rank != source.Rank || first.Scaling != source.Scaling || !first.A.Shape.SequenceEqual(source.A.Shape) || !first.B.Shape.SequenceEqual(module.B.Shape))
            {
                resolution.Refusals.Add(RefusalCategory.MutatedBase, "The initial adapter does not fit this one.", source.Path);
                continue;
            }

            resolution.Modules[i] = Difference(module, first.A, first.B.Scale(-1, Wider(first.B.DType)));
        }
    }

    private static void FromBase(MlxResolution resolution, Initialisation kind)
    {
        var trained = resolution.Adapter.Modules.ToDictionary(module => module.SourceTensors[0], StringComparer.Ordinal);
        for (int i = 0; i < resolution.Modules.Count; i++)
        {
            MlxModule module = resolution.Modules[i];
            LoraModule source = trained[module.SourceTensors[0]];
            if (module.Kind != MlxModuleKind.Linear || resolution.Base!.FindWeight(source.Path) is not { Shape.Length: 2 } weight
                || !weight.Shape.SequenceEqual([source.B.Shape[0], source.A.Shape[1]]) || module.B.Shape[0] != source.B.Shape[0])
            {
                resolution.Refusals.Add(RefusalCategory.MutatedBase, "The initial factors of this module cannot be recomputed from the base.", source.Path);
                continue;
            }

            // Both products equal s * B0 A0, so the second factor is divided by the scaling that the writer multiplies again.
            TensorExpression values = resolution.Base.Weights!.Get(weight);
            Lazy<(double[] Left, double[] Right)> factors = new(() => kind == Initialisation.Pissa
                ? LeadingFactors.Singular(values.ToDoubleArray(), (int)weight.Shape[0], (int)weight.Shape[1], source.Rank)
                : LeadingFactors.Orthogonal(values.ToDoubleArray(), (int)weight.Shape[0], (int)weight.Shape[1], source.Rank));
            double divisor = kind == Initialisation.Pissa ? source.Scaling : 1;
            var right = TensorExpression.Computed(weight.Name, [source.Rank, weight.Shape[1]], () => factors.Value.Right);
            var left = TensorExpression.Computed(weight.Name, [weight.Shape[0], source.Rank], () => [.. factors.Value.Left.Select(v => -v / divisor)]);
            resolution.Modules[i] = Difference(module, right.Cast(DType.F32), left.Cast(DType.F32));
        }
    }

    private static MlxModule Difference(MlxModule module, TensorExpression firstA, TensorExpression negativeFirstB) => module with
    {
        A = TensorExpression.Concatenate(0, [module.A.Cast(DType.F32), firstA.Cast(DType.F32)]),
        B = TensorExpression.Concatenate(1, [module.B.Cast(DType.F32), negativeFirstB.Cast(DType.F32)]),
        Note = (module.Note + "; minus the initial product, which the base lost").TrimStart(';', ' '),
    };

    private static DType Wider(DType dtype) => dtype == DType.F64 ? DType.F64 : DType.F32;
}
