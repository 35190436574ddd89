using Sway.Adapters;
using Sway.Architectures;
using Sway.Conversion;
using Sway.Conversion.Mlx;
using Sway.Tensors;

namespace Sway.Validation;

/// <summary>The delta of one module: scaling * B @ A, with a leading axis of experts where it has them.</summary>
/// <param name="Module">The module's name, in the naming of the whole set.</param>
/// <param name="A">(rank, in), or (experts, rank, in).</param>
/// <param name="B">(out, rank), or (experts, out, rank).</param>
/// <param name="Scaling">The factor on the product.</param>
/// <param name="Magnitude">DoRA's magnitude; null without.</param>
internal sealed record ModuleDelta(string Module, TensorExpression A, TensorExpression B, double Scaling, TensorExpression? Magnitude);

/// <summary>The deltas of two adapters under the same names, whatever formats they are written in.</summary>
/// <param name="Adapter">Those of the first one.</param>
/// <param name="Reference">Those of the second one.</param>
/// <param name="LeftOut">What the factors do not say, and so is not compared.</param>
internal sealed record DeltaSet(IReadOnlyList<ModuleDelta> Adapter, IReadOnlyList<ModuleDelta> Reference, IReadOnlyList<string> LeftOut)
{
    /// <summary>Brings both to common names.</summary>
    /// <exception cref="ConversionRefusedException">The deltas of one of them are not known, or names cannot be matched.</exception>
    public static DeltaSet Of(LoraAdapter adapter, LoraAdapter reference, BaseModel? model)
    {
        if (HaveSameNames(adapter, reference))
        {
            RequireKnown(adapter);
            RequireKnown(reference);
            return new DeltaSet([.. adapter.Modules.Select(Direct)], [.. reference.Modules.Select(Direct)], [.. Beside(adapter), .. Beside(reference)]);
        }

        var leftOut = new List<string>();
        return new DeltaSet(InMlxNames(adapter, model, leftOut), InMlxNames(reference, model, leftOut), leftOut);
    }

    /// <summary>The same modules under the same names need no base model; packed experts always do.</summary>
    private static bool HaveSameNames(LoraAdapter adapter, LoraAdapter reference)
    {
        LoraModule[] all = [.. adapter.Modules, .. reference.Modules];
        return all.All(module => module.Packing == ExpertPacking.None && module.Naming == all[0].Naming)
            && (all.Length == 0 || all[0].Naming == ModuleNaming.Mlx
                || adapter.Modules.Select(module => module.Path).Order(StringComparer.Ordinal)
                    .SequenceEqual(reference.Modules.Select(module => module.Path).Order(StringComparer.Ordinal), StringComparer.Ordinal));
    }

    private static void RequireKnown(LoraAdapter adapter)
    {
        Refusal[] unknown = [.. adapter.Obstacles.Where(obstacle => !LossCategories.CanBeAllowed(obstacle.Category) && FindingList.SeverityOf(obstacle.Category) == FindingSeverity.Error)];
        if (unknown.Length > 0)
        {
            throw new ConversionRefusedException(adapter.Path, unknown);
        }
    }

    private static IEnumerable<string> Beside(LoraAdapter adapter) => adapter.Extras
        .Where(extra => extra.Kind is not (AdapterExtraKind.TrainingBuffer or AdapterExtraKind.BaseLayerCopy))
        .Select(extra => extra.Name);

    private static IReadOnlyList<ModuleDelta> InMlxNames(LoraAdapter adapter, BaseModel? model, List<string> leftOut)
    {
        if (adapter.Modules.All(module => module.Naming == ModuleNaming.Mlx))
        {
            RequireKnown(adapter);
            leftOut.AddRange(Beside(adapter));
            return [.. adapter.Modules.Select(Direct)];
        }

        var options = new ConversionOptions { AllowLoss = [.. LossCategories.All] };
        MlxResolution resolution = MlxPlanner.Resolve(adapter, model, options, null);
        if (!resolution.Refusals.IsEmpty)
        {
            throw new ConversionRefusedException(adapter.Path, resolution.Refusals.ToList());
        }

        leftOut.AddRange(resolution.LeftOut.Where(entry => entry.Value.StartsWith(MlxResolution.ByRequest, StringComparison.Ordinal)).Select(entry => entry.Key));
        return [.. resolution.Modules.Select(module => new ModuleDelta(module.Path, module.A, module.B, module.Scaling, module.Magnitude))];
    }

    private static ModuleDelta Direct(LoraModule module) => new(module.Path, module.A, module.B, module.Scaling, module.Magnitude);
}
