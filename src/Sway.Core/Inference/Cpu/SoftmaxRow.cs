using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sway.Numerics;

namespace Sway.Inference.Cpu;

/// <summary>The two passes of a softmax over one row; the division by the sum is left to what is computed with the weights.</summary>
internal static unsafe class SoftmaxRow
{
    private const int Lanes = 16;

    /// <summary>Multiplies a row by a factor and finds its greatest element.</summary>
    /// <param name="x">The row.</param>
    /// <param name="count">Number of elements, at least one.</param>
    /// <param name="factor">The factor.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Scale(float* x, int count, float factor)
    {
        var greatest = Vector512.Create(float.NegativeInfinity);
        var scale = Vector512.Create(factor);
        var i = 0;
        for (; i + Lanes <= count; i += Lanes)
        {
            var value = Vector512.Load(x + i) * scale;
            value.Store(x + i);
            greatest = Vector512.ConditionalSelect(Vector512.GreaterThan(value, greatest), value, greatest);
        }

        var max = float.NegativeInfinity;
        for (var lane = 0; lane < Lanes; lane++)
        {
            max = greatest[lane] > max ? greatest[lane] : max;
        }

        for (; i < count; i++)
        {
            x[i] *= factor;
            max = x[i] > max ? x[i] : max;
        }

        return max;
    }

    /// <summary>The greatest element.</summary>
    public static float Max(float* x, int count) => Scale(x, count, 1f);

    /// <summary>x = e^(x - max); the sum, in double: eight interleaved partial sums for each half of sixteen elements, then their tree.</summary>
    /// <remarks>What is not a number makes the sum none.</remarks>
    /// <param name="x">The row.</param>
    /// <param name="count">Number of elements.</param>
    /// <param name="max">What is subtracted.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Exponentiate(float* x, int count, float max)
    {
        var shift = Vector512.Create(max);
        var (low, high) = (Vector512<double>.Zero, Vector512<double>.Zero);
        var i = 0;
        for (; i + Lanes <= count; i += Lanes)
        {
            var value = Exponential.Of(Vector512.Load(x + i) - shift);
            value.Store(x + i);
            low += Vector512.WidenLower(value);
            high += Vector512.WidenUpper(value);
        }

        if (i < count)
        {
            var rest = stackalloc float[Lanes];
            new Span<float>(rest, Lanes).Fill(float.NegativeInfinity);
            new Span<float>(x + i, count - i).CopyTo(new Span<float>(rest, Lanes));
            var value = Exponential.Of(Vector512.Load(rest) - shift);
            value.Store(rest);
            new Span<float>(rest, count - i).CopyTo(new Span<float>(x + i, count - i));
            low += Vector512.WidenLower(value);
            high += Vector512.WidenUpper(value);
        }

        return Reductions.Tree(low + high);
    }
}
