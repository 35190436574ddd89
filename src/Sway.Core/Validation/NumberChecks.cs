using Sway.Adapters;
using Sway.Conversion;
using Sway.Tensors;

namespace Sway.Validation;

/// <summary>Reads every number of an adapter once, in pieces: none may be NaN or infinite, and factors should not all be zero.</summary>
internal static class NumberChecks
{
    public static void Run(LoraAdapter adapter, FindingList findings, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> notFinite = FiniteGuard.FindNotFinite(adapter, cancellationToken);
        if (notFinite.Count > 0)
        {
            findings.Add(new Refusal(RefusalCategory.NonFinite, "Tensors hold NaN or infinity.")
            {
                Modules = notFinite,
                Remedy = "Use an earlier checkpoint if training diverged, or export the adapter again.",
            });
        }

        CheckScales(adapter, findings, cancellationToken);
        CheckZeros(adapter, findings, cancellationToken);
        CheckMagnitudes(adapter, findings, cancellationToken);
    }

    /// <summary>Programs apply the scale in float32, where a huge one makes infinity of ordinary factors.</summary>
    private static void CheckScales(LoraAdapter adapter, FindingList findings, CancellationToken cancellationToken)
    {
        const double Ordinary = 1e20;
        string[] infinite = [.. adapter.Modules
            .Where(module => Math.Abs(module.Scaling) > Ordinary
                && !FiniteGuard.All(module.B.Scale(module.Scaling), FiniteCheck.IsFinite, cancellationToken))
            .Select(Name)];
        if (infinite.Length > 0)
        {
            findings.Add(new Refusal(RefusalCategory.NonFinite, "Factors become infinite when they are multiplied by their scale.")
            {
                Modules = infinite,
                Remedy = "Check lora_alpha and alpha_pattern in adapter_config.json.",
            });
        }
    }

    private static void CheckZeros(LoraAdapter adapter, FindingList findings, CancellationToken cancellationToken)
    {
        string[] untrained = [.. adapter.Modules
            .Where(module => module.Scaling == 0 || FiniteGuard.All(module.B, IsZero, cancellationToken))
            .Select(Name)];
        if (untrained.Length == 0)
        {
            return;
        }

        bool everything = untrained.Length == adapter.Modules.Count;
        findings.Add(new AdapterFinding(
            FindingSeverity.Warning,
            FindingCategory.Untrained,
            everything
                ? "Every second factor is zero (or the scale is), as before training: the adapter changes nothing."
                : $"{untrained.Length} of {adapter.Modules.Count} modules have a second factor of zeros (or a scale of zero), as before training: they change nothing.")
        {
            Modules = untrained,
            Remedy = "Check that this is the checkpoint that was meant.",
        });
    }

    private static void CheckMagnitudes(LoraAdapter adapter, FindingList findings, CancellationToken cancellationToken)
    {
        var wrong = new List<string>();
        foreach (LoraModule module in adapter.Modules)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (module.Magnitude is { } magnitude && magnitude.DType.IsReadableFloat() && Array.Exists(magnitude.ToDoubleArray(), value => value <= 0))
            {
                wrong.Add(module.Path);
            }
        }

        if (wrong.Count > 0)
        {
            findings.Add(new AdapterFinding(
                FindingSeverity.Warning, FindingCategory.Magnitude, "DoRA magnitudes are zero or negative; they begin as norms, which are positive.")
            {
                Modules = wrong,
                Remedy = "Check the training run: rows of a magnitude of zero compute nothing, negative ones are turned around.",
            });
        }
    }

    internal static string Name(LoraModule module) => module.ParameterName is null ? module.Path : $"{module.Path}.{module.ParameterName}";

    private static bool IsZero(DType dtype, byte[] bytes)
    {
        // The sign of a zero is the last byte's highest bit.
        int size = dtype.ByteSize();
        for (int i = 0; i < bytes.Length; i++)
        {
            if ((bytes[i] & ((i + 1) % size == 0 ? 0x7F : 0xFF)) != 0)
            {
                return false;
            }
        }

        return true;
    }
}
