using Sway.Tensors;

namespace Sway.Merging;

/// <summary>How several adapters become one.</summary>
public enum CombinationMethod
{
    /// <summary>The exact weighted sum of the deltas: factors beside each other, the ranks add up.</summary>
    Cat,

    /// <summary>PEFT's linear: the factors themselves are added, which is not the sum of the deltas.</summary>
    Linear,

    /// <summary>The sum of the deltas, cut to a rank by its singular values.</summary>
    Svd,

    /// <summary>TIES: small elements are dropped, then only those of the elected sign are averaged.</summary>
    Ties,

    /// <summary>Small elements of the factors are dropped, then the factors are added.</summary>
    MagnitudePrune,
}

/// <summary>What a user asks of a combination.</summary>
public sealed record CombinationOptions
{
    /// <summary>How to combine.</summary>
    public CombinationMethod Method { get; init; } = CombinationMethod.Cat;

    /// <summary>The weight of each adapter; empty for 1 each.</summary>
    public IReadOnlyList<double> Weights { get; init; } = [];

    /// <summary>The rank that Svd keeps; null for the largest of the adapters.</summary>
    public int? Rank { get; init; }

    /// <summary>The share of elements that Ties and MagnitudePrune keep; 0 to 1.</summary>
    public double Density { get; init; } = 0.5;

    /// <summary>True to let Ties elect the sign by count in place of by sum.</summary>
    public bool ElectByCount { get; init; }

    /// <summary>The base model's folder; needed to name the modules of mlx-lm adapters.</summary>
    public string? BaseModel { get; init; }

    /// <summary>True to replace an existing output.</summary>
    public bool Force { get; init; }
}

/// <summary>One adapter's share of a module.</summary>
internal readonly record struct WeightedFactors(TensorExpression A, TensorExpression B, double Scaling, double Weight)
{
    public int Rank => (int)A.Shape[0];
}

/// <summary>The factors of a combined module, of scaling 1, as PEFT's <c>add_weighted_adapter</c> makes them.</summary>
internal static class CombinedFactors
{
    public static (TensorExpression A, TensorExpression B) Of(IReadOnlyList<WeightedFactors> parts, CombinationOptions options, int svdRank) => options.Method switch
    {
        CombinationMethod.Cat => (
            TensorExpression.Concatenate(0, [.. parts.Select(part => part.A.Scale(part.Weight * part.Scaling))]),
            TensorExpression.Concatenate(1, [.. parts.Select(part => part.B.Cast(DType.F32))])),
        CombinationMethod.Svd => Svd(parts, svdRank),
        _ => (
            Elementwise("A", [.. parts.Select(part => part.A)], [.. parts.Select(part => Math.CopySign(Root(part), part.Weight))], options),
            Elementwise("B", [.. parts.Select(part => part.B)], [.. parts.Select(Root)], options)),
    };

    // Both factors get the root of the weight, so that their product has the weight itself.
    private static double Root(WeightedFactors part) => Math.Sqrt(Math.Abs(part.Weight * part.Scaling));

    private static (TensorExpression A, TensorExpression B) Svd(IReadOnlyList<WeightedFactors> parts, int rank)
    {
        var result = new Lazy<(double[][] Left, double[][] Right)>(() => parts
            .Select(part => FactoredMatrix.Of(part.A, part.B, part.Weight * part.Scaling))
            .Aggregate((sum, next) => sum.Plus(next, 1)).Truncate(rank));
        long columns = parts[0].A.Shape[1], rows = parts[0].B.Shape[0];
        TensorExpression a = TensorExpression.Computed("svd", [rank, columns], () => [.. result.Value.Right.SelectMany(row => row)]);
        TensorExpression b = TensorExpression.Computed("svd", [rank, rows], () => [.. result.Value.Left.SelectMany(column => column)]);
        return (a.Cast(DType.F32), b.Transpose().Cast(DType.F32));
    }

    private static TensorExpression Elementwise(string name, TensorExpression[] tensors, double[] weights, CombinationOptions options) =>
        TensorExpression.Computed(name, tensors[0].Shape, () =>
        {
            double[][] values = [.. tensors.Select(tensor => tensor.ToDoubleArray())];
            if (options.Method != CombinationMethod.Linear)
            {
                Array.ForEach(values, tensor => Prune(tensor, options.Density));
            }

            double[] sum = new double[values[0].Length];
            for (int i = 0; i < sum.Length; i++)
            {
                sum[i] = options.Method == CombinationMethod.Ties ? Elect(values, weights, i, options.ElectByCount) : Add(values, weights, i);
            }

            return sum;
        }).Cast(DType.F32);

    private static double Add(double[][] values, double[] weights, int index)
    {
        double sum = 0;
        for (int t = 0; t < values.Length; t++)
        {
            sum += weights[t] * values[t][index];
        }

        return sum;
    }

    private static double Elect(double[][] values, double[] weights, int index, bool byCount)
    {
        double total = 0;
        foreach (double[] tensor in values)
        {
            total += byCount ? Math.Sign(tensor[index]) : tensor[index];
        }

        int sign = total >= 0 ? 1 : -1;
        double sum = 0;
        int count = 0;
        for (int t = 0; t < values.Length; t++)
        {
            if (Math.Sign(values[t][index]) == sign)
            {
                sum += weights[t] * values[t][index];
                count++;
            }
        }

        return sum / Math.Max(count, 1);
    }

    /// <summary>Keeps the largest elements: <c>int(density * count)</c> of them.</summary>
    private static void Prune(double[] values, double density)
    {
        int keep = (int)(density * values.Length);
        foreach (int index in Enumerable.Range(0, values.Length).OrderByDescending(i => Math.Abs(values[i])).Skip(keep))
        {
            values[index] = 0;
        }
    }
}
