using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sway.Inference.Cpu;

/// <summary>
/// Rows of stored weights as columns of a panel: squares of words are transposed in registers and taken apart afterwards, so that
/// widening costs nothing beside the transpose and nothing is read twice.
/// </summary>
internal static unsafe class WordPanel
{
    private const int LargestSide = 16;

    // How far ahead of itself a row is fetched: the rows of a square are as many streams, more than a processor follows by itself.
    private const int Ahead = 512;

    /// <summary>destination[k, j] = value k of row j; columns past <paramref name="valid"/> are zeros.</summary>
    /// <param name="source">The first value; rows <paramref name="stride"/> bytes apart.</param>
    /// <param name="stride">Distance of rows in bytes.</param>
    /// <param name="valid">Rows that are there.</param>
    /// <param name="columns">Columns of the panel, a multiple of <see cref="WordTranspose.Side"/>.</param>
    /// <param name="depth">Values of each row.</param>
    /// <param name="destination">(depth, columns).</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Fill<TWord>(byte* source, nint stride, int valid, int columns, int depth, float* destination)
        where TWord : struct, IWordFormat
    {
        var side = WordTranspose.Side;
        var square = stackalloc float[LargestSide * LargestSide];
        for (var j = 0; j < columns; j += side)
        {
            var from = source + (j * stride);
            var to = destination + j;
            for (var k = 0; k < depth; k += side * TWord.Values, from += side * 4, to += (nint)side * TWord.Values * columns)
            {
                var values = Math.Min(side * TWord.Values, depth - k);
                if (j + side > valid || values < side * TWord.Values)
                {
                    Partial<TWord>(from, stride, valid - j, values, square);
                    Expand<TWord>((uint*)square, values, to, columns);
                }
                else if (TWord.Values == 1)
                {
                    WordTranspose.Square(from, stride, to, columns);
                }
                else
                {
                    WordTranspose.Square(from, stride, square, side);
                    Expand<TWord>((uint*)square, values, to, columns);
                }
            }
        }
    }

    /// <summary>
    /// As <see cref="Fill{TWord}"/> for quantized values: each is multiplied by the scale of its group and column and the bias is
    /// added, with one rounding.
    /// </summary>
    /// <param name="source">The first word; rows <paramref name="stride"/> bytes apart.</param>
    /// <param name="stride">Distance of rows in bytes.</param>
    /// <param name="valid">Rows that are there.</param>
    /// <param name="columns">Columns of the panel.</param>
    /// <param name="depth">Values of each row, whole groups.</param>
    /// <param name="scales">(groups, columns); zeros for columns that are not there.</param>
    /// <param name="biases">(groups, columns); zeros for columns that are not there.</param>
    /// <param name="group">Values of a group, a multiple of those of a word.</param>
    /// <param name="destination">(depth, columns).</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FillScaled<TWord>(
        byte* source, nint stride, int valid, int columns, int depth, float* scales, float* biases, int group, float* destination)
        where TWord : struct, IWordFormat
    {
        var side = WordTranspose.Side;
        var square = stackalloc float[LargestSide * LargestSide];
        for (var j = 0; j < columns; j += side)
        {
            for (var k = 0; k < depth; k += side * TWord.Values)
            {
                var values = Math.Min(side * TWord.Values, depth - k);
                var from = source + (j * stride) + (k / TWord.Values * 4);
                if (j + side > valid || values < side * TWord.Values)
                {
                    Partial<TWord>(from, stride, valid - j, values, square);
                }
                else
                {
                    WordTranspose.Square(from, stride, square, side);
                }

                for (var v = 0; v < values;)
                {
                    var end = Math.Min(values, ((k + v) / group * group) + group - k);
                    var at = ((nint)((k + v) / group) * columns) + j;
                    ExpandScaled<TWord>(
                        (uint*)square + (v / TWord.Values * side), end - v, scales + at, biases + at,
                        destination + ((nint)(k + v) * columns) + j, columns);
                    v = end;
                }
            }
        }
    }

    /// <summary>
    /// sums[j] = the sum over k of value k of row j times x[k], one chain of fused multiply-adds from zero: a product with one row
    /// that reads the stored weights straight.
    /// </summary>
    /// <param name="source">The first value; rows <paramref name="stride"/> bytes apart.</param>
    /// <param name="stride">Distance of rows in bytes.</param>
    /// <param name="depth">Values of each row, whole squares.</param>
    /// <param name="x">The row.</param>
    /// <param name="sums">Twice <see cref="WordTranspose.Side"/> sums.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot<TWord>(byte* source, nint stride, int depth, float* x, float* sums)
        where TWord : struct, IWordFormat
    {
        var side = WordTranspose.Side;
        var squares = stackalloc float[2 * LargestSide * LargestSide];
        var second = squares + (side * side);
        var (a512, b512) = (Vector512<float>.Zero, Vector512<float>.Zero);
        var (a256, b256) = (Vector256<float>.Zero, Vector256<float>.Zero);
        var (a128, b128) = (Vector128<float>.Zero, Vector128<float>.Zero);
        for (var k = 0; k < depth; k += side * TWord.Values, source += side * 4)
        {
            Fetch(source, stride, 2 * side);
            WordTranspose.Square(source, stride, squares, side);
            WordTranspose.Square(source + (side * stride), stride, second, side);
            for (var w = 0; w < side; w++)
            {
                if (side == 16)
                {
                    var (p, q) = (Vector512.Load((uint*)squares + (w * 16)), Vector512.Load((uint*)second + (w * 16)));
                    for (var i = 0; i < TWord.Values; i++, x++, p >>= TWord.Bits, q >>= TWord.Bits)
                    {
                        var s = Vector512.Create(*x);
                        a512 = Vector512.FusedMultiplyAdd(s, TWord.First(p), a512);
                        b512 = Vector512.FusedMultiplyAdd(s, TWord.First(q), b512);
                    }
                }
                else if (side == 8)
                {
                    var (p, q) = (Vector256.Load((uint*)squares + (w * 8)), Vector256.Load((uint*)second + (w * 8)));
                    for (var i = 0; i < TWord.Values; i++, x++, p >>= TWord.Bits, q >>= TWord.Bits)
                    {
                        var s = Vector256.Create(*x);
                        a256 = Vector256.FusedMultiplyAdd(s, TWord.First(p), a256);
                        b256 = Vector256.FusedMultiplyAdd(s, TWord.First(q), b256);
                    }
                }
                else
                {
                    var (p, q) = (Vector128.Load((uint*)squares + (w * 4)), Vector128.Load((uint*)second + (w * 4)));
                    for (var i = 0; i < TWord.Values; i++, x++, p >>= TWord.Bits, q >>= TWord.Bits)
                    {
                        var s = Vector128.Create(*x);
                        a128 = Vector128.FusedMultiplyAdd(s, TWord.First(p), a128);
                        b128 = Vector128.FusedMultiplyAdd(s, TWord.First(q), b128);
                    }
                }
            }
        }

        if (side == 16)
        {
            a512.Store(sums);
            b512.Store(sums + 16);
        }
        else if (side == 8)
        {
            a256.Store(sums);
            b256.Store(sums + 8);
        }
        else
        {
            a128.Store(sums);
            b128.Store(sums + 4);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(byte* source, nint stride, int rows)
    {
        if (Sse.IsSupported)
        {
            for (var j = 0; j < rows; j++)
            {
                Sse.Prefetch0(source + (j * stride) + Ahead);
            }
        }
    }

    // A square with rows or values missing: what is there is copied beside zeros first. Nothing past the last row's end is read.
    private static void Partial<TWord>(byte* source, nint stride, int rows, int values, float* square)
        where TWord : struct, IWordFormat
    {
        var side = WordTranspose.Side;
        var copy = stackalloc float[LargestSide * LargestSide];
        new Span<float>(copy, side * side).Clear();
        var bytes = values * 4 / TWord.Values;
        for (var j = 0; j < Math.Min(side, rows); j++)
        {
            new ReadOnlySpan<byte>(source + (j * stride), bytes).CopyTo(new Span<byte>(copy + (j * side), bytes));
        }

        WordTranspose.Square((byte*)copy, side * sizeof(float), square, side);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Expand<TWord>(uint* square, int values, float* to, nint columns)
        where TWord : struct, IWordFormat
    {
        var side = WordTranspose.Side;
        for (var v = 0; v < values; square += side)
        {
            var count = Math.Min(TWord.Values, values - v);
            v += count;
            if (side == 16)
            {
                var word = Vector512.Load(square);
                for (var i = 0; i < count; i++, to += columns, word >>= TWord.Bits)
                {
                    TWord.First(word).Store(to);
                }
            }
            else if (side == 8)
            {
                var word = Vector256.Load(square);
                for (var i = 0; i < count; i++, to += columns, word >>= TWord.Bits)
                {
                    TWord.First(word).Store(to);
                }
            }
            else
            {
                var word = Vector128.Load(square);
                for (var i = 0; i < count; i++, to += columns, word >>= TWord.Bits)
                {
                    TWord.First(word).Store(to);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ExpandScaled<TWord>(uint* square, int values, float* scales, float* biases, float* to, nint columns)
        where TWord : struct, IWordFormat
    {
        if (WordTranspose.Side == 16)
        {
            var (scale, bias) = (Vector512.Load(scales), Vector512.Load(biases));
            for (var v = 0; v < values; v += TWord.Values, square += 16)
            {
                var word = Vector512.Load(square);
                for (var i = 0; i < TWord.Values; i++, to += columns, word >>= TWord.Bits)
                {
                    Vector512.FusedMultiplyAdd(scale, TWord.First(word), bias).Store(to);
                }
            }
        }
        else if (WordTranspose.Side == 8)
        {
            var (scale, bias) = (Vector256.Load(scales), Vector256.Load(biases));
            for (var v = 0; v < values; v += TWord.Values, square += 8)
            {
                var word = Vector256.Load(square);
                for (var i = 0; i < TWord.Values; i++, to += columns, word >>= TWord.Bits)
                {
                    Vector256.FusedMultiplyAdd(scale, TWord.First(word), bias).Store(to);
                }
            }
        }
        else
        {
            var (scale, bias) = (Vector128.Load(scales), Vector128.Load(biases));
            for (var v = 0; v < values; v += TWord.Values, square += 4)
            {
                var word = Vector128.Load(square);
                for (var i = 0; i < TWord.Values; i++, to += columns, word >>= TWord.Bits)
                {
                    Vector128.FusedMultiplyAdd(scale, TWord.First(word), bias).Store(to);
                }
            }
        }
    }
}
