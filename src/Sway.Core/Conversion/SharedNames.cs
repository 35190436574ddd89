using Sway.Adapters;
using Sway.Architectures;
using Sway.Conversion.Mlx;
using Sway.Tensors;

namespace Sway.Conversion;

/// <summary>One module's low-rank delta under a name by which another adapter's can be found.</summary>
/// <param name="Name">The module.</param>
/// <param name="A">(rank, in), or (experts, rank, in).</param>
/// <param name="B">(out, rank), or (experts, out, rank).</param>
/// <param name="Scaling">The factor on B @ A.</param>
/// <param name="Magnitude">DoRA's magnitude.</param>
internal sealed record NamedDelta(string Name, TensorExpression A, TensorExpression B, double Scaling, TensorExpression? Magnitude)
{
    /// <summary>The factors of each expert; of the one matrix where there are none.</summary>
    public IEnumerable<(TensorExpression A, TensorExpression B)> Parts
    {
        get
        {
            if (A.Rank != 3)
            {
                return [(A, B)];
            }

            // One expert's numbers may lie scattered over the factors of all.
            TensorExpression a = A.Recalled(), b = B.Recalled();
            return Enumerable.Range(0, checked((int)A.Shape[0])).Select(expert => (a.Index(0, expert), b.Index(0, expert)));
        }
    }

    /// <summary>The number of matrices.</summary>
    public long Count => A.Rank == 3 ? A.Shape[0] : 1;
}

/// <summary>
/// Brings the deltas of two adapters of any formats under the same names and into the same orientation: their own where both
/// use the same ones, else those of mlx-lm, to which the base model's map leads from every format.
/// </summary>
internal static class SharedNames
{
    /// <summary>Both adapters' deltas, each in its own order.</summary>
    /// <param name="first">An adapter.</param>
    /// <param name="second">Another one.</param>
    /// <param name="model">The base model; null when it is not known.</param>
    /// <param name="warnings">Gets what was assumed.</param>
    /// <exception cref="ConversionRefusedException">An adapter's deltas have no place among the other one's names.</exception>
    public static (IReadOnlyList<NamedDelta> First, IReadOnlyList<NamedDelta> Second) Of(
        LoraAdapter first, LoraAdapter second, BaseModel? model, List<string> warnings) =>
        IsPlain(first) && IsPlain(second)
            ? ([.. first.Modules.Select(module => Spelled(module, model))], [.. second.Modules.Select(module => Spelled(module, model))])
            : (InMlxNames(first, model, warnings), InMlxNames(second, model, warnings));

    /// <summary>An adapter's deltas under its own names.</summary>
    public static IReadOnlyList<NamedDelta> AsWritten(LoraAdapter adapter) => [.. adapter.Modules.Select(module => Spelled(module, null))];

    /// <summary>True for modules of the Hugging Face model whose factors are the delta itself.</summary>
    private static bool IsPlain(LoraAdapter adapter) =>
        adapter.Modules.All(module => module.Naming == ModuleNaming.HuggingFace && module.Packing == ExpertPacking.None) && !InitialFactors.ChangedBase(adapter);

    /// <summary>Under the one spelling that the map has of a path: headless and nested models name the same modules otherwise.</summary>
    private static NamedDelta Spelled(LoraModule module, BaseModel? model)
    {
        string path = module.Naming == ModuleNaming.HuggingFace && model?.Map?.Find(module.Path) is [var match, ..] ? match.Path : module.Path;
        return new NamedDelta(module.ParameterName is null ? path : $"{path}.{module.ParameterName}", module.A, module.B, module.Scaling, module.Magnitude);
    }

    private static List<NamedDelta> InMlxNames(LoraAdapter adapter, BaseModel? model, List<string> warnings)
    {
        if (adapter.Modules.All(module => module.Naming == ModuleNaming.Mlx))
        {
            return [.. AsWritten(adapter)];
        }

        var resolution = new MlxResolution(adapter, model, new ConversionOptions());
        ModuleResolver.Resolve(resolution);
        TiedModels.Resolve(resolution);
        InitialFactors.Resolve(resolution, initial: null);
        if (!resolution.Refusals.IsEmpty)
        {
            throw new ConversionRefusedException(adapter.Path, resolution.Refusals.ToList());
        }

        warnings.AddRange(resolution.Warnings);
        return [.. resolution.Modules.Select(module => new NamedDelta(module.Path, module.A, module.B, module.Scaling, module.Magnitude))];
    }
}
