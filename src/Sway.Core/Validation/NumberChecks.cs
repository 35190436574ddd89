using Sway.Adapters;
using Sway.Conversion;
using Sway.Tensors;

namespace Sway.Validation;

/// <summary>Reads every number of an adapter once, in pieces: none may be NaN or infinite, and factors should not all be zero.</summary>
internal static class NumberChecks
{
    private const long PieceBytes = 4 << 20;

    public static void Run(LoraAdapter adapter, FindingList findings, CancellationToken cancellationToken)
    {
        var notFinite = new List<string>();
        foreach (TensorFile file in adapter.Files)
        {
            foreach (TensorInfo tensor in file.Tensors.Where(tensor => tensor.DType.IsReadableFloat()))
            {
                if (!All(file.Get(tensor), static (dtype, piece) => IsFinite(dtype, piece), cancellationToken))
                {
                    notFinite.Add(tensor.Name);
                }
            }
        }

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
                && !All(module.B.Scale(module.Scaling), static (dtype, piece) => FiniteCheck.IsFinite(dtype, piece), cancellationToken))
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
            .Where(module => module.Scaling == 0 || All(module.B, static (dtype, piece) => IsZero(dtype, piece), cancellationToken))
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

    /// <summary>True when a test holds for every piece of a tensor; stops at the first piece where it does not.</summary>
    private static bool All(TensorExpression value, Func<DType, ReadOnlySpan<byte>, bool> test, CancellationToken cancellationToken)
    {
        if (value.ElementCount == 0)
        {
            return true;
        }

        long rows = value.Rank == 0 ? 1 : value.Shape[0];
        long step = Math.Max(1, PieceBytes / Math.Max(1, value.ByteLength / rows));
        for (long row = 0; row < rows; row += step)
        {
            cancellationToken.ThrowIfCancellationRequested();
            TensorExpression piece = value.Rank == 0 ? value : value.Slice(0, row, Math.Min(step, rows - row));
            if (!test(piece.DType, piece.ToBytes()))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsFinite(DType dtype, ReadOnlySpan<byte> bytes)
    {
        if (dtype is not (DType.F8E4M3 or DType.F8E5M2))
        {
            return FiniteCheck.IsFinite(dtype, bytes);
        }

        foreach (byte value in bytes)
        {
            // E4M3FN has only the two NaNs, E5M2 an exponent of ones.
            if (dtype == DType.F8E4M3 ? (value & 0x7F) == 0x7F : (value & 0x7C) == 0x7C)
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsZero(DType dtype, ReadOnlySpan<byte> bytes)
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
