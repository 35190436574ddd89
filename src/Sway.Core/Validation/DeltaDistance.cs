using System.Numerics.Tensors;
using Sway.Conversion;
using Sway.Tensors;

namespace Sway.Validation;

/// <summary>
/// Distances of deltas in float64. The factors are compared first: equal ones (apart from zero components and the order of none) are no
/// distance at all. Otherwise the products are compared row block by row block; a whole dense layer is never in memory.
/// </summary>
internal static class DeltaDistance
{
    private const int BlockElements = 1 << 18;

    /// <summary>The largest absolute difference of any element, and the Frobenius norms of the difference and of the right one.</summary>
    public readonly record struct Distance(double Largest, double DifferenceSquared, double RightSquared)
    {
        public double Relative => DifferenceSquared == 0 ? 0 : RightSquared == 0 ? double.PositiveInfinity : Math.Sqrt(DifferenceSquared / RightSquared);

        public Distance Plus(Distance other) => new(
            Math.Max(Largest, other.Largest), DifferenceSquared + other.DifferenceSquared, RightSquared + other.RightSquared);
    }

    /// <summary>Compares two deltas of one module; a missing one is zero. Null when the sizes differ.</summary>
    public static Distance? Between(NamedDelta? left, NamedDelta? right, CancellationToken cancellationToken)
    {
        NamedDelta any = left ?? right!;
        if (left is not null && right is not null && (left.A.Rank != right.A.Rank || left.A.Shape[^1] != right.A.Shape[^1]
            || left.B.Shape[^2] != right.B.Shape[^2] || (left.A.Rank == 3 && left.A.Shape[0] != right.A.Shape[0])))
        {
            return null;
        }

        if (any.A.Rank == 2)
        {
            return Between(Factors.Of(left, -1), Factors.Of(right, -1), cancellationToken);
        }

        var sum = default(Distance);
        for (long expert = 0; expert < any.A.Shape[0]; expert++)
        {
            sum = sum.Plus(Between(Factors.Of(left, expert), Factors.Of(right, expert), cancellationToken));
        }

        return sum;
    }

    private static Distance Between(Factors? left, Factors? right, CancellationToken cancellationToken)
    {
        (int rows, int columns) = ((left ?? right)!.Rows, (left ?? right)!.Columns);
        if (left is not null && right is not null && left.SameAs(right))
        {
            left = null;
            right = null;
        }

        if (left is null && right is null)
        {
            return default;
        }

        int step = Math.Max(1, BlockElements / Math.Max(columns, 1));
        int blocks = (rows + step - 1) / step;
        var parts = new Distance[blocks];
        Parallel.For(0, blocks, new ParallelOptions { CancellationToken = cancellationToken }, block =>
        {
            double[] a = new double[columns], b = new double[columns];
            var part = default(Distance);
            for (int row = block * step; row < Math.Min(rows, (block + 1) * step); row++)
            {
                Row(left, row, a);
                Row(right, row, b);
                double largest = 0, difference = 0, norm = 0;
                for (int i = 0; i < columns; i++)
                {
                    double d = a[i] - b[i];
                    largest = Math.Max(largest, Math.Abs(d));
                    difference += d * d;
                    norm += b[i] * b[i];
                }

                part = part.Plus(new Distance(largest, difference, norm));
            }

            parts[block] = part;
        });

        // One fixed order, so that the result does not depend on the threads.
        return parts.Aggregate(default(Distance), (sum, part) => sum.Plus(part));
    }

    private static void Row(Factors? factors, int row, double[] destination)
    {
        Array.Clear(destination);
        for (int k = 0; k < (factors?.Rank ?? 0); k++)
        {
            double factor = factors!.B[(row * factors.Rank) + k] * factors.Scaling;
            if (factor != 0)
            {
                TensorPrimitives.MultiplyAdd(factors.A.AsSpan(k * factors.Columns, factors.Columns), factor, destination, destination);
            }
        }
    }

    /// <summary>The factors of one matrix as float64.</summary>
    private sealed record Factors(double[] A, double[] B, double Scaling, int Rank, int Rows, int Columns)
    {
        public static Factors? Of(NamedDelta? delta, long expert)
        {
            if (delta is null)
            {
                return null;
            }

            (TensorExpression a, TensorExpression b) = expert < 0 ? (delta.A, delta.B) : (delta.A.Index(0, expert), delta.B.Index(0, expert));
            return new Factors(a.ToDoubleArray(), b.ToDoubleArray(), delta.Scaling, (int)a.Shape[0], (int)b.Shape[0], (int)a.Shape[1]);
        }

        /// <summary>True when both hold the same numbers, apart from components that are zero in either factor.</summary>
        public bool SameAs(Factors other)
        {
            if (Scaling != other.Scaling)
            {
                return false;
            }

            int[] mine = [.. Components()], others = [.. other.Components()];
            return mine.Length == others.Length && mine.Zip(others).All(pair => Same(pair.First, other, pair.Second));
        }

        private bool Same(int k, Factors other, int m) =>
            A.AsSpan(k * Columns, Columns).SequenceEqual(other.A.AsSpan(m * Columns, Columns))
            && Enumerable.Range(0, Rows).All(row => B[(row * Rank) + k] == other.B[(row * other.Rank) + m]);

        private IEnumerable<int> Components() => Enumerable.Range(0, Rank).Where(k =>
            A.AsSpan(k * Columns, Columns).ContainsAnyExcept(0.0) && Enumerable.Range(0, Rows).Any(row => B[(row * Rank) + k] != 0));
    }
}
