using Sway.Adapters;
using Sway.Architectures;
using Sway.Conversion;
using Sway.Tensors;

namespace Sway.Validation;

/// <summary>Proves that two adapters of any formats are the same function, or says where they are not.</summary>
internal static class ReferenceCheck
{
    public static ReferenceComparison? Run(
        LoraAdapter adapter, string referencePath, BaseModel? model, AdapterTestOptions options, FindingList findings, CancellationToken cancellationToken)
    {
        try
        {
            using LoraAdapter reference = AdapterReader.Open(
                referencePath, new AdapterOpenOptions { BaseModel = options.BaseModel ?? model?.Folder, NoBaseLookup = options.NoBaseLookup });
            BaseModel? own = null;
            try
            {
                own = model is null ? BaseModelLocator.Open(reference.Path, reference.BaseModelName, null, !options.NoBaseLookup, out _) : null;
                return Compare(adapter, reference, model ?? own, options.Tolerance, findings, cancellationToken);
            }
            finally
            {
                own?.Dispose();
            }
        }
        catch (SwayException e)
        {
            findings.Add(new AdapterFinding(FindingSeverity.Error, FindingCategory.NotCompared, $"The adapter cannot be compared with the reference: {e.Message}")
            {
                Remedy = e.Remedy,
            });
            return null;
        }
    }

    private static ReferenceComparison Compare(
        LoraAdapter adapter, LoraAdapter reference, BaseModel? model, double tolerance, FindingList findings, CancellationToken cancellationToken)
    {
        RequireKnown(adapter);
        RequireKnown(reference);
        var warnings = new List<string>();
        (IReadOnlyList<NamedDelta> first, IReadOnlyList<NamedDelta> second) = SharedNames.Of(adapter, reference, model, warnings);
        foreach (string warning in warnings)
        {
            findings.Add(new AdapterFinding(FindingSeverity.Information, FindingCategory.Doubtful, warning));
        }

        Dictionary<string, NamedDelta> others = second.ToDictionary(delta => delta.Name, StringComparer.Ordinal);
        var modules = new List<ModuleDifference>();
        foreach (NamedDelta delta in first)
        {
            cancellationToken.ThrowIfCancellationRequested();
            others.Remove(delta.Name, out NamedDelta? other);
            modules.Add(Difference(delta, other, findings, cancellationToken));
        }

        modules.AddRange(others.Values.Select(other => Difference(null, other, findings, cancellationToken)));
        ModuleDifference[] different = [.. modules.Where(module => !(module.RelativeDifference <= tolerance))];
        double absolute = modules.Select(module => module.AbsoluteDifference).DefaultIfEmpty().Max();
        double relative = modules.Select(module => module.RelativeDifference).DefaultIfEmpty().Max();
        if (different.Length > 0)
        {
            findings.Add(new AdapterFinding(
                FindingSeverity.Error,
                FindingCategory.Difference,
                FormattableString.Invariant($"{different.Length} of {modules.Count} modules are not those of the reference: relative difference up to {relative:G3}, absolute up to {absolute:G3}."))
            {
                Modules = [.. different.Select(module => module.Module)],
                Remedy = "Convert the reference again, or choose a larger tolerance if one of them was stored in 16 bits.",
            });
        }

        string[] beside = [.. Beside(adapter), .. Beside(reference)];
        if (beside.Length > 0)
        {
            findings.Add(new AdapterFinding(FindingSeverity.Warning, FindingCategory.NotCompared, "Tensors beside the low-rank factors are not compared.")
            {
                Modules = beside,
                Remedy = "Compare merged models where these tensors matter.",
            });
        }

        return new ReferenceComparison
        {
            FullName = reference.Path,
            IsSame = different.Length == 0,
            MaxAbsoluteDifference = absolute,
            MaxRelativeDifference = relative,
            Modules = modules,
        };
    }

    /// <summary>An obstacle that leaves a delta unknown; what only another format cannot hold is none.</summary>
    private static void RequireKnown(LoraAdapter adapter)
    {
        Refusal[] unknown = [.. adapter.Obstacles
            .Where(obstacle => !obstacle.IsInitialisation && !LossCategories.CanBeAllowed(obstacle.Category) && FindingList.SeverityOf(obstacle.Category) == FindingSeverity.Error)];
        if (unknown.Length > 0)
        {
            throw new ConversionRefusedException(adapter.Path, unknown);
        }
    }

    private static IEnumerable<string> Beside(LoraAdapter adapter) => adapter.Extras
        .Where(extra => extra.Kind is not (AdapterExtraKind.TrainingBuffer or AdapterExtraKind.BaseLayerCopy))
        .Select(extra => extra.Name);

    private static ModuleDifference Difference(NamedDelta? left, NamedDelta? right, FindingList findings, CancellationToken cancellationToken)
    {
        string name = (left ?? right)!.Name;
        string side = left is null ? "Reference" : right is null ? "Adapter" : "Both";
        if (DeltaDistance.Between(left, right, cancellationToken) is not { } distance)
        {
            findings.Add(new Refusal(RefusalCategory.ShapeMismatch, "Modules have other sizes than in the reference.") { Modules = [name] });
            return new ModuleDifference(name, side, double.MaxValue, double.MaxValue);
        }

        (double absolute, double relative) = (distance.Largest, distance.Relative);
        if (left?.Magnitude is not null || right?.Magnitude is not null)
        {
            (double a, double r) = Magnitudes(left?.Magnitude, right?.Magnitude);
            (absolute, relative) = (Math.Max(absolute, a), Math.Max(relative, r));
        }

        // JSON has no infinity; the largest number says as much.
        return new ModuleDifference(name, side, Finite(absolute), Finite(relative));
    }

    private static (double Absolute, double Relative) Magnitudes(TensorExpression? left, TensorExpression? right)
    {
        if (left is null || right is null || left.ElementCount != right.ElementCount)
        {
            return (double.MaxValue, double.MaxValue);
        }

        double[] a = left.ToDoubleArray(), b = right.ToDoubleArray();
        double largest = 0, difference = 0, norm = 0;
        for (int i = 0; i < a.Length; i++)
        {
            largest = Math.Max(largest, Math.Abs(a[i] - b[i]));
            difference += (a[i] - b[i]) * (a[i] - b[i]);
            norm += b[i] * b[i];
        }

        return (largest, difference == 0 ? 0 : Math.Sqrt(difference / norm));
    }

    private static double Finite(double value) => double.IsFinite(value) ? value : double.MaxValue;
}
