using Sway.Adapters;
using Sway.Architectures;
using Sway.Conversion;
using Sway.Numerics;

namespace Sway.Merging;

/// <summary>
/// Compares two adapters of any formats module by module: from the factors alone, and where a delta depends on the base's
/// weights (DoRA) from the changes that both make to them.
/// </summary>
public static class AdapterComparer
{
    /// <summary>Compares all modules that either adapter has, the first one's first.</summary>
    /// <param name="first">An adapter.</param>
    /// <param name="second">Another one, of the same or of another format.</param>
    /// <param name="options">Choices; null for none.</param>
    /// <param name="cancellationToken">Stops between modules.</param>
    /// <exception cref="ConversionRefusedException">The deltas cannot be told from the files at hand.</exception>
    public static AdapterComparison Compare(string first, string second, ComparisonOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new ComparisonOptions();
        var open = new AdapterOpenOptions { Alpha = options.Alpha, BaseModel = options.BaseModel, NoBaseLookup = options.NoBaseLookup };
        using LoraAdapter left = AdapterReader.Open(first, open);
        using LoraAdapter right = AdapterReader.Open(second, open);
        var warnings = new List<string>();
        bool dora = left.Modules.Concat(right.Modules).Any(module => module.Magnitude is not null);
        Check(left, dora, warnings);
        Check(right, dora, warnings);
        using BaseModel? model = Locate(left, options) ?? Locate(right, options);
        LoraAdapterComparison[] modules = dora
            ? [.. WeightComparison.Of(left, right, model, cancellationToken)]
            : [.. OfFactors(left, right, model, warnings, cancellationToken)];
        return new AdapterComparison
        {
            Modules = modules,
            BaseModel = model?.Folder,
            Warnings = [.. warnings.Distinct(StringComparer.Ordinal)],
        };
    }

    private static IEnumerable<LoraAdapterComparison> OfFactors(
        LoraAdapter left, LoraAdapter right, BaseModel? model, List<string> warnings, CancellationToken cancellationToken)
    {
        (IReadOnlyList<NamedDelta> first, IReadOnlyList<NamedDelta> second) = SharedNames.Of(left, right, model, warnings);
        CheckNames(left, first);
        CheckNames(right, second);
        Dictionary<string, NamedDelta> others = second.ToDictionary(delta => delta.Name, StringComparer.Ordinal);
        foreach (NamedDelta delta in first)
        {
            cancellationToken.ThrowIfCancellationRequested();
            others.Remove(delta.Name, out NamedDelta? other);
            yield return Compare(left, right, delta, other);
        }

        foreach (NamedDelta delta in second.Where(delta => others.ContainsKey(delta.Name)))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return Compare(left, right, null, delta);
        }
    }

    private static LoraAdapterComparison Compare(LoraAdapter left, LoraAdapter right, NamedDelta? first, NamedDelta? second)
    {
        string name = (first ?? second)!.Name;
        if (first is not null && second is not null && first.Count != second.Count)
        {
            throw Differ(right, name);
        }

        var sums = new Sums();
        foreach ((FactoredMatrix? x, FactoredMatrix? y) in Pairs(first, second))
        {
            if (x is not null && y is not null && (x.Rows, x.Columns) != (y.Rows, y.Columns))
            {
                throw Differ(right, name);
            }

            sums.Add(x, y);
        }

        return sums.ToComparison(left.Path, right.Path, name);
    }

    private static IEnumerable<(FactoredMatrix? First, FactoredMatrix? Second)> Pairs(NamedDelta? first, NamedDelta? second)
    {
        if (first is null || second is null)
        {
            NamedDelta only = (first ?? second)!;
            foreach ((Tensors.TensorExpression a, Tensors.TensorExpression b) in only.Parts)
            {
                FactoredMatrix matrix = FactoredMatrix.Of(a, b, only.Scaling);
                yield return first is null ? (null, matrix) : (matrix, null);
            }

            yield break;
        }

        foreach (var (x, y) in first.Parts.Zip(second.Parts))
        {
            yield return (FactoredMatrix.Of(x.A, x.B, first.Scaling), FactoredMatrix.Of(y.A, y.B, second.Scaling));
        }
    }

    private static BaseModel? Locate(LoraAdapter adapter, ComparisonOptions options) =>
        BaseModelLocator.Open(adapter.Path, adapter.BaseModelName, options.BaseModel, !options.NoBaseLookup, out _);

    /// <summary>What stands against the deltas themselves refuses; what lies beside them is not compared, and said.</summary>
    private static void Check(LoraAdapter adapter, bool dora, List<string> warnings)
    {
        // Initial factors are taken out under mlx-lm's names, which DoRA's comparison by weights does not use.
        Refusal[] fatal = [.. adapter.Obstacles.Where(refusal => !LossCategories.CanBeAllowed(refusal.Category) && (dora || !refusal.IsInitialisation))];
        if (fatal.Length > 0)
        {
            throw new ConversionRefusedException(adapter.Path, fatal);
        }

        warnings.AddRange(adapter.Warnings.Concat(adapter.Obstacles.Where(refusal => !refusal.IsInitialisation).Select(refusal => $"Not compared ({refusal.Category}): {refusal.Reason}")));
        int beside = adapter.Extras.Count(extra => extra.Kind is not (AdapterExtraKind.BaseLayerCopy or AdapterExtraKind.TrainingBuffer));
        if (beside > 0 && adapter.Obstacles.Count == 0)
        {
            warnings.Add($"{adapter.Path} holds {beside} tensors beside its low-rank deltas, which are not compared.");
        }
    }

    private static void CheckNames(LoraAdapter adapter, IReadOnlyList<NamedDelta> deltas)
    {
        string[] twice = [.. deltas.GroupBy(delta => delta.Name, StringComparer.Ordinal).Where(same => same.Count() > 1).Select(same => same.Key)];
        if (twice.Length > 0)
        {
            throw new ConversionRefusedException(
                adapter.Path, [new Refusal(RefusalCategory.DuplicateModule, "Two modules of the adapter are the same module of the base.") { Modules = twice }]);
        }
    }

    private static ConversionRefusedException Differ(LoraAdapter adapter, string name) => new(
        adapter.Path, [new Refusal(RefusalCategory.ShapeMismatch, "The two adapters are for base models of different sizes.") { Modules = [name] }]);

    /// <summary>Gathers one module's experts.</summary>
    private sealed class Sums
    {
        private readonly List<double> _firstRanks = [];
        private readonly List<double> _secondRanks = [];
        private double _first;
        private double _second;
        private double _inner;
        private double _difference;

        public void Add(FactoredMatrix? first, FactoredMatrix? second)
        {
            double left = first?.Norm() ?? 0, right = second?.Norm() ?? 0;
            _first += left * left;
            _second += right * right;
            if (first is not null)
            {
                _firstRanks.Add(EffectiveRank(first));
            }

            if (second is not null)
            {
                _secondRanks.Add(EffectiveRank(second));
            }

            if (first is not null && second is not null)
            {
                double distance = first.Distance(second);
                _difference += distance * distance;
                _inner += first.Inner(second);
            }
        }

        public LoraAdapterComparison ToComparison(string first, string second, string module)
        {
            double left = Math.Sqrt(_first), right = Math.Sqrt(_second);
            if (!double.IsFinite(left) || !double.IsFinite(right))
            {
                throw new ConversionRefusedException(
                    double.IsFinite(left) ? second : first,
                    [new Refusal(RefusalCategory.NonFinite, "A delta is not finite: a factor holds NaN or infinity, or is too large.") { Modules = [module] }]);
            }

            bool both = _firstRanks.Count > 0 && _secondRanks.Count > 0;
            double difference = both ? Math.Sqrt(_difference) : Math.Max(left, right);
            return new LoraAdapterComparison
            {
                First = first,
                Second = second,
                Module = module,
                In = both ? "Both" : _firstRanks.Count > 0 ? "First" : "Second",
                FirstNorm = left,
                SecondNorm = right,
                Cosine = both && left > 0 && right > 0 ? Math.Clamp(_inner / (left * right), -1, 1) : null,
                RelativeDifference = difference == 0 ? 0 : difference / Math.Max(left, right),
                FirstEffectiveRank = _firstRanks.Count > 0 ? _firstRanks.Average() : 0,
                SecondEffectiveRank = _secondRanks.Count > 0 ? _secondRanks.Average() : 0,
            };
        }

        private static double EffectiveRank(FactoredMatrix matrix)
        {
            double[] values = matrix.SingularValues();
            double sum = values.Sum();
            return sum == 0 ? 0 : Math.Exp(-values.Where(value => value > 0).Sum(value => value / sum * Math.Log(value / sum)));
        }
    }
}
