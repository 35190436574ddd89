using System.Numerics.Tensors;
using Sway.Numerics;
using Sway.Tensors;

namespace Sway.Merging;

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
        CombinationMethod.TiesSvd or CombinationMethod.MagnitudePruneSvd => DenseSvd(parts, options, svdRank),
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

    /// <summary>The deltas themselves are combined element by element, so each is built whole, one module at a time.</summary>
    private static (TensorExpression A, TensorExpression B) DenseSvd(IReadOnlyList<WeightedFactors> parts, CombinationOptions options, int rank)
    {
        int columns = checked((int)parts[0].A.Shape[1]), rows = checked((int)parts[0].B.Shape[0]);
        var result = new Lazy<(double[] Left, double[] Right)>(() =>
        {
            double[][] deltas = [.. parts.Select(part => Product(part, rows, columns))];
            double[] sum = Combine(deltas, [.. parts.Select(part => part.Weight)], options);
            return LeadingSingular.Of(sum, rows, columns, rank);
        });
        TensorExpression a = TensorExpression.Computed("svd", [rank, columns], () => result.Value.Right);
        TensorExpression b = TensorExpression.Computed("svd", [rows, rank], () => result.Value.Left);
        return (a.Cast(DType.F32), b.Cast(DType.F32));
    }

    private static double[] Product(WeightedFactors part, int rows, int columns)
    {
        double[] left = part.B.ToDoubleArray(), right = part.A.ToDoubleArray(), product = new double[checked(rows * columns)];
        for (int i = 0; i < rows; i++)
        {
            Span<double> row = product.AsSpan(i * columns, columns);
            for (int k = 0; k < part.Rank; k++)
            {
                TensorPrimitives.MultiplyAdd(right.AsSpan(k * columns, columns), part.Scaling * left[(i * part.Rank) + k], row, row);
            }
        }

        return product;
    }

    private static TensorExpression Elementwise(string name, TensorExpression[] tensors, double[] weights, CombinationOptions options) =>
        TensorExpression.Computed(name, tensors[0].Shape, () =>
        {
            double[][] values = [.. tensors.Select(tensor => tensor.ToDoubleArray())];
            return Combine(values, weights, options);
        }).Cast(DType.F32);

    private static double[] Combine(double[][] values, double[] weights, CombinationOptions options)
    {
        if (options.Method != CombinationMethod.Linear)
        {
            Array.ForEach(values, tensor => Prune(tensor, options.Density));
        }

        bool elects = options.Method is CombinationMethod.Ties or CombinationMethod.TiesSvd;
        double[] sum = new double[values[0].Length];
        for (int i = 0; i < sum.Length; i++)
        {
            sum[i] = elects ? Elect(values, weights, i, options.ElectByCount) : Add(values, weights, i);
        }

        return sum;
    }

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

    /// <summary>Keeps the largest elements: <c>int(density * count)</c> of them, of equal ones the first.</summary>
    private static void Prune(double[] values, double density)
    {
        int keep = (int)(density * values.Length);
        double[] sizes = Array.ConvertAll(values, Math.Abs);
        Array.Sort(sizes);
        double threshold = keep > 0 ? sizes[^keep] : double.PositiveInfinity;
        int equal = keep - values.Count(value => Math.Abs(value) > threshold);
        for (int i = 0; i < values.Length; i++)
        {
            double size = Math.Abs(values[i]);
            if (size < threshold || (size == threshold && equal-- <= 0))
            {
                values[i] = 0;
            }
        }
    }
}
