using Sway.Adapters;
using Sway.Tensors;

namespace Sway.Merging;

/// <summary>How the deltas of two adapters on one module compare.</summary>
public sealed record LoraAdapterComparison
{
    /// <summary>The module.</summary>
    public required string Module { get; init; }

    /// <summary>Both, First or Second: which adapter has the module.</summary>
    public required string In { get; init; }

    /// <summary>The Frobenius norm of the first delta, scaling included.</summary>
    public double FirstNorm { get; init; }

    /// <summary>The Frobenius norm of the second delta.</summary>
    public double SecondNorm { get; init; }

    /// <summary>The cosine of the angle between the deltas, as vectors of all elements; null when one is zero or absent.</summary>
    public double? Cosine { get; init; }

    /// <summary>The norm of the difference, relative to the larger of the two; 0 for equal deltas.</summary>
    public double RelativeDifference { get; init; }

    /// <summary>The effective rank of the first delta: the exponential of the entropy of its normalised singular values
    /// (Roy and Vetterli 2007).</summary>
    public double FirstEffectiveRank { get; init; }

    /// <summary>The effective rank of the second delta.</summary>
    public double SecondEffectiveRank { get; init; }
}

/// <summary>Compares two adapters module by module, from the factors alone.</summary>
public static class AdapterComparer
{
    /// <summary>Compares all modules that either adapter has, the first one's first.</summary>
    /// <param name="first">An adapter.</param>
    /// <param name="second">Another one; both must name modules in the same way.</param>
    /// <param name="cancellationToken">Stops between modules.</param>
    /// <exception cref="ConversionRefusedException">Deltas cannot be compared from the factors.</exception>
    public static IReadOnlyList<LoraAdapterComparison> Compare(string first, string second, CancellationToken cancellationToken = default)
    {
        using LoraAdapter left = AdapterReader.Open(first);
        using LoraAdapter right = AdapterReader.Open(second);
        Check(left);
        Check(right);
        Dictionary<string, LoraModule> others = right.Modules.ToDictionary(Key, StringComparer.Ordinal);
        var result = new List<LoraAdapterComparison>();
        foreach (LoraModule module in left.Modules)
        {
            cancellationToken.ThrowIfCancellationRequested();
            others.Remove(Key(module), out LoraModule? other);
            result.Add(Compare(Key(module), Parts(module), other is null ? [] : Parts(other)));
        }

        result.AddRange(others.Select(entry => Compare(entry.Key, [], Parts(entry.Value))));
        return result;
    }

    private static LoraAdapterComparison Compare(string name, FactoredMatrix[] first, FactoredMatrix[] second)
    {
        if (first.Length > 0 && second.Length > 0 && first.Length != second.Length)
        {
            throw new AdapterFormatException($"{name} has different numbers of experts in the two adapters.") { Tensors = [name] };
        }

        double left = Norm(first), right = Norm(second);
        bool both = first.Length > 0 && second.Length > 0;
        double difference = both ? Norm([.. first.Zip(second, (x, y) => x.Plus(y, -1))]) : Math.Max(left, right);
        return new LoraAdapterComparison
        {
            Module = name,
            In = both ? "Both" : first.Length > 0 ? "First" : "Second",
            FirstNorm = left,
            SecondNorm = right,
            Cosine = both && left > 0 && right > 0 ? Math.Clamp(first.Zip(second, (x, y) => x.Inner(y)).Sum() / (left * right), -1, 1) : null,
            RelativeDifference = difference == 0 ? 0 : difference / Math.Max(left, right),
            FirstEffectiveRank = EffectiveRank(first),
            SecondEffectiveRank = EffectiveRank(second),
        };
    }

    private static double Norm(FactoredMatrix[] parts) => Math.Sqrt(parts.Sum(part => part.Norm() is var norm ? norm * norm : 0));

    /// <summary>Of several experts, the mean.</summary>
    private static double EffectiveRank(FactoredMatrix[] parts) => parts.Length == 0 ? 0 : parts.Average(part =>
    {
        double[] values = part.SingularValues();
        double sum = values.Sum();
        return sum == 0 ? 0 : Math.Exp(-values.Where(value => value > 0).Sum(value => value / sum * Math.Log(value / sum)));
    });

    private static FactoredMatrix[] Parts(LoraModule module) => module.A.Rank == 3
        ? [.. Enumerable.Range(0, (int)module.A.Shape[0]).Select(e => FactoredMatrix.Of(module.A.Index(0, e), module.B.Index(0, e), module.Scaling))]
        : [FactoredMatrix.Of(module.A, module.B, module.Scaling)];

    private static string Key(LoraModule module) => module.ParameterName is null ? module.Path : module.Path + "." + module.ParameterName;

    private static void Check(LoraAdapter adapter)
    {
        string[] unclear = [.. adapter.Modules.Where(module => module.Magnitude is not null || module.Packing != ExpertPacking.None).Select(Key)];
        var refusals = new List<Refusal>(adapter.Obstacles.Where(refusal => refusal.Category is RefusalCategory.MissingScale or RefusalCategory.RankMismatch or RefusalCategory.MissingPair));
        if (unclear.Length > 0)
        {
            refusals.Add(new Refusal(RefusalCategory.NeedsBase, "The delta of DoRA modules and packed experts depends on the base model; factors alone do not tell it.")
            {
                Modules = unclear,
            });
        }

        if (refusals.Count > 0)
        {
            throw new ConversionRefusedException(adapter.Path, refusals);
        }
    }
}
