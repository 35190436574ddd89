using Sway.Adapters;
using Sway.Architectures;
using Sway.Numerics;
using Sway.Tensors;

namespace Sway.Conversion.Peft;

/// <summary>
/// Opens a written PEFT adapter as any other one, by PEFT's rules for names, ranks, alphas and packed experts, and compares
/// its deltas with the source's. Nothing of the way that wrote it takes part.
/// </summary>
internal static class PeftVerifier
{
    /// <summary>The largest relative difference, in the Frobenius norm, of any module; 0 when all deltas are equal.</summary>
    /// <param name="source">The adapter that was converted.</param>
    /// <param name="folder">What was written.</param>
    /// <param name="model">The base model that served, or null.</param>
    /// <param name="cancellationToken">Stops between modules.</param>
    public static double LargestDifference(LoraAdapter source, string folder, BaseModel? model, CancellationToken cancellationToken)
    {
        using LoraAdapter written = AdapterReader.Open(folder);
        if (written.Obstacles.Count > 0)
        {
            throw new ConversionRefusedException(source.Path, written.Obstacles);
        }

        // Without a map, names were kept; with one, it leads from both to the same modules.
        (IReadOnlyList<NamedDelta> first, IReadOnlyList<NamedDelta> second) = model?.Map is null
            ? (SharedNames.AsWritten(source), SharedNames.AsWritten(written))
            : SharedNames.Of(source, written, model, []);
        Dictionary<string, NamedDelta> rest = second.ToDictionary(delta => delta.Name, StringComparer.Ordinal);
        double largest = 0;
        foreach (NamedDelta delta in first)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!rest.Remove(delta.Name, out NamedDelta? other) || other.Count != delta.Count)
            {
                return double.PositiveInfinity;
            }

            largest = Math.Max(largest, Math.Max(Difference(delta, other), Difference(delta.Magnitude, other.Magnitude)));
        }

        // What the source has no delta for may be there, but must change nothing.
        bool silent = rest.Values.SelectMany(delta => delta.Parts.Select(part => FactoredMatrix.Of(part.A, part.B, delta.Scaling))).All(matrix => matrix.Norm() == 0);
        return silent ? largest : double.PositiveInfinity;
    }

    private static double Difference(NamedDelta first, NamedDelta second)
    {
        double largest = 0;
        foreach (((TensorExpression A, TensorExpression B) x, (TensorExpression A, TensorExpression B) y) in first.Parts.Zip(second.Parts))
        {
            FactoredMatrix left = FactoredMatrix.Of(x.A, x.B, first.Scaling), right = FactoredMatrix.Of(y.A, y.B, second.Scaling);
            if ((left.Rows, left.Columns) != (right.Rows, right.Columns))
            {
                return double.PositiveInfinity;
            }

            double distance = left.Distance(right);
            largest = Math.Max(largest, distance == 0 ? 0 : distance / left.Norm());
        }

        return largest;
    }

    private static double Difference(TensorExpression? first, TensorExpression? second)
    {
        if (first is null || second is null)
        {
            return ReferenceEquals(first, second) ? 0 : double.PositiveInfinity;
        }

        double[] left = first.ToDoubleArray(), right = second.ToDoubleArray();
        return left.Length != right.Length ? double.PositiveInfinity
            : left.AsSpan().SequenceEqual(right) ? 0
            : left.Zip(right, (x, y) => Math.Abs(x - y)).Max() / left.Max(Math.Abs);
    }
}
