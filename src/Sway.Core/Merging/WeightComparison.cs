using Sway.Adapters;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Merging;

/// <summary>
/// Compares what two adapters change in each stored weight of the base, row by row in float64. It serves DoRA, whose delta
/// depends on the weight and is no product of low rank; no weight and no delta is ever whole in memory.
/// </summary>
internal static class WeightComparison
{
    /// <summary>One entry for each stored weight that either adapter changes.</summary>
    /// <exception cref="ConversionRefusedException">The base's weights are not at hand, or a module has no place in them.</exception>
    public static IEnumerable<LoraAdapterComparison> Of(LoraAdapter first, LoraAdapter second, BaseModel? model, CancellationToken cancellationToken)
    {
        if (model?.Weights is not { } weights)
        {
            throw new ConversionRefusedException(first.Path, [new Refusal(RefusalCategory.NeedsBase, "A DoRA delta depends on the base model's weights, which were not found.")
            {
                Modules = [.. first.Modules.Concat(second.Modules).Where(module => module.Magnitude is not null).Select(module => module.Path).Distinct(StringComparer.Ordinal)],
                Remedy = "Name the base model's folder with -BaseModel (--base).",
            }]);
        }

        IReadOnlyDictionary<string, List<MergeTerm>> left = Place(first, model, weights), right = Place(second, model, weights);
        foreach (string name in left.Keys.Concat(right.Keys.Where(name => !left.ContainsKey(name))))
        {
            cancellationToken.ThrowIfCancellationRequested();
            IWeightRows rows = MergedModel.RowsOf(model, weights, weights.Find(name)!);
            yield return Compare(first.Path, second.Path, name, rows, left.GetValueOrDefault(name), right.GetValueOrDefault(name), cancellationToken);
        }
    }

    private static IReadOnlyDictionary<string, List<MergeTerm>> Place(LoraAdapter adapter, BaseModel model, TensorFile weights)
    {
        var refusals = new List<Refusal>();
        IReadOnlyDictionary<string, List<MergeTerm>> terms = new MergePlacement(model, weights, adapter, refusals).Place(adapter.Modules);
        AdapterMerger.CheckDora(adapter, terms, refusals);
        return refusals.Count == 0 ? terms : throw new ConversionRefusedException(adapter.Path, refusals);
    }

    private static LoraAdapterComparison Compare(
        string first, string second, string name, IWeightRows rows, List<MergeTerm>? firstTerms, List<MergeTerm>? secondTerms, CancellationToken cancellationToken)
    {
        WeightChange? left = firstTerms is null ? null : new WeightChange(firstTerms, rows);
        WeightChange? right = secondTerms is null ? null : new WeightChange(secondTerms, rows);
        float[] weight = new float[rows.Columns];
        double[] x = new double[rows.Columns], y = new double[rows.Columns];
        double xx = 0, yy = 0, xy = 0, difference = 0;
        for (long row = 0; row < rows.Rows; row++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            rows.Read(row, weight);
            left?.Row(row, weight, x);
            right?.Row(row, weight, y);
            for (int j = 0; j < x.Length; j++)
            {
                xx += x[j] * x[j];
                yy += y[j] * y[j];
                xy += x[j] * y[j];
                difference += (x[j] - y[j]) * (x[j] - y[j]);
            }
        }

        double firstNorm = Math.Sqrt(xx), secondNorm = Math.Sqrt(yy);
        return new LoraAdapterComparison
        {
            First = first,
            Second = second,
            Module = name.EndsWith(".weight", StringComparison.Ordinal) ? name[..^".weight".Length] : name,
            In = left is null ? "Second" : right is null ? "First" : "Both",
            FirstNorm = firstNorm,
            SecondNorm = secondNorm,
            Cosine = xx > 0 && yy > 0 ? Math.Clamp(xy / (firstNorm * secondNorm), -1, 1) : null,
            RelativeDifference = difference == 0 ? 0 : Math.Sqrt(difference) / Math.Max(firstNorm, secondNorm),
        };
    }
}
