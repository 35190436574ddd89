using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sway.Inference.Cpu;

/// <summary>Some outputs of a quantized matrix as they are stored, from one input on.</summary>
internal readonly unsafe struct QuantizedRows
{
    /// <summary>The first word.</summary>
    public required byte* Words { get; init; }

    /// <summary>Distance of rows of words in bytes.</summary>
    public required nint Stride { get; init; }

    /// <summary>The scale of the first group.</summary>
    public required byte* Scales { get; init; }

    /// <summary>The bias of the first group.</summary>
    public required byte* Biases { get; init; }

    /// <summary>Distance of rows of scales, and of biases, in bytes.</summary>
    public required nint FactorStride { get; init; }

    /// <summary>Values of a group.</summary>
    public required int Group { get; init; }

    /// <summary>Distance in bytes to the words that are wanted next.</summary>
    public required nint NextWords { get; init; }

    /// <summary>Distance in bytes to the scales and biases that are wanted next.</summary>
    public required nint NextFactors { get; init; }
}

/// <summary>
/// A product of one row with quantized weights that reads them as they are stored: words, scales and biases are transposed in registers,
/// and a value is taken out of its word, scaled and multiplied without leaving them. The numbers and their order are those of a panel.
/// </summary>
internal static unsafe class QuantizedDot
{
    // Words of scales that the longest block of inputs has, in whole squares: 768 values in groups of 32, in float32.
    private const int FactorWords = 32;

    private const int LargestSide = 16, LargestWidth = 64;

    /// <summary>
    /// Squares of outputs that are computed together: a chain of additions is slower than the arithmetic of one square, and of more than
    /// four there are no registers for.
    /// </summary>
    private static int Squares => WordTranspose.Side == 16 ? 4 : 2;

    /// <summary>Outputs that are computed together, whole panels.</summary>
    public static int Outputs => Squares * WordTranspose.Side;

    /// <summary>Bytes of a row of scales that are read, from the first group on, whatever of them is used.</summary>
    /// <param name="groups">Number of groups.</param>
    public static nint FactorBytes<TScale>(int groups)
        where TScale : struct, IWordFormat
    {
        var side = WordTranspose.Side;
        var words = (groups + TScale.Values - 1) / TScale.Values;
        return (nint)((words + side - 1) / side * side) * 4;
    }

    /// <summary>sums[j] = the sum over k of value k of row j times x[k], one chain of fused multiply-adds from zero.</summary>
    /// <param name="rows">The weights; as many rows as <see cref="Outputs"/>, in each of which <see cref="FactorBytes"/> can be read.</param>
    /// <param name="depth">Values of each row: whole groups, and no fewer words than a square has.</param>
    /// <param name="x">The row.</param>
    /// <param name="sums">As many sums as <see cref="Outputs"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    public static void Run<TWord, TScale>(in QuantizedRows rows, int depth, float* x, float* sums)
        where TWord : struct, IWordFormat
        where TScale : struct, IWordFormat
    {
        var side = WordTranspose.Side;
        var scales = stackalloc float[FactorWords * LargestWidth];
        var biases = stackalloc float[FactorWords * LargestWidth];
        var bytes = FactorBytes<TScale>(depth / rows.Group);
        Fetch(rows.Scales + rows.NextFactors, rows.FactorStride);
        Fetch(rows.Biases + rows.NextFactors, rows.FactorStride);
        for (nint at = 0; at < bytes; at += side * 4)
        {
            Transpose(rows.Scales + at, rows.FactorStride, scales + (at / 4 * Outputs));
            Transpose(rows.Biases + at, rows.FactorStride, biases + (at / 4 * Outputs));
        }

        var square = stackalloc float[LargestSide * LargestWidth];
        var (words, group) = (depth / TWord.Values, rows.Group / TWord.Values);
        new Span<float>(sums, Outputs).Clear();
        for (var word = 0; word < words;)
        {
            // The last square begins earlier where there are no more words: nothing behind a row is read.
            var first = Math.Min(word, words - side);
            var next = rows.Words + rows.NextWords + (first * 4);
            Transpose(rows.Words + (first * 4), rows.Stride, square);
            for (int end; word < first + side; word = end)
            {
                end = Math.Min(first + side, ((word / group) + 1) * group);
                var factors = word / group / TScale.Values * Outputs;
                Accumulate<TWord, TScale>(
                    (uint*)square + ((word - first) * Outputs), end - word, (uint*)scales + factors, (uint*)biases + factors,
                    word / group % TScale.Values * TScale.Bits, x + (word * TWord.Values), sums, next + ((word - first) * Squares * rows.Stride), rows.Stride);
            }
        }
    }

    // As many streams as there are rows are more than a processor follows by itself.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(byte* source, nint stride)
    {
        if (Sse.IsSupported)
        {
            for (var j = 0; j < Outputs; j++, source += stride)
            {
                Sse.Prefetch1(source);
            }
        }
    }

    // destination[w, j] = word w of row j.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose(byte* source, nint stride, float* destination)
    {
        for (var j = 0; j < Outputs; j += WordTranspose.Side)
        {
            WordTranspose.Square(source + (j * stride), stride, destination + j, Outputs);
        }
    }

    // sums[j] goes on with words that one group's scale belongs to.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Accumulate<TWord, TScale>(uint* words, int count, uint* scales, uint* biases, int shift, float* x, float* sums, byte* next, nint stride)
        where TWord : struct, IWordFormat
        where TScale : struct, IWordFormat
    {
        if (WordTranspose.Side == 16)
        {
            Accumulate512<TWord, TScale>(words, count, scales, biases, shift, x, sums, next, stride);
        }
        else if (WordTranspose.Side == 8)
        {
            Accumulate256<TWord, TScale>(words, count, scales, biases, shift, x, sums, next, stride);
        }
        else
        {
            Accumulate128<TWord, TScale>(words, count, scales, biases, shift, x, sums, next, stride);
        }
    }

    // A method of its own, so that nothing but this loop competes for registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Accumulate512<TWord, TScale>(uint* words, int count, uint* scales, uint* biases, int shift, float* x, float* sums, byte* next, nint stride)
        where TWord : struct, IWordFormat
        where TScale : struct, IWordFormat
    {
        var sa = TScale.First(Vector512.Load(scales) >> shift);
        var ba = TScale.First(Vector512.Load(biases) >> shift);
        var a = Vector512.Load(sums);
        var sb = TScale.First(Vector512.Load(scales + 16) >> shift);
        var bb = TScale.First(Vector512.Load(biases + 16) >> shift);
        var b = Vector512.Load(sums + 16);
        var sc = TScale.First(Vector512.Load(scales + 32) >> shift);
        var bc = TScale.First(Vector512.Load(biases + 32) >> shift);
        var c = Vector512.Load(sums + 32);
        var sd = TScale.First(Vector512.Load(scales + 48) >> shift);
        var bd = TScale.First(Vector512.Load(biases + 48) >> shift);
        var d = Vector512.Load(sums + 48);
        for (var end = words + (count * 64); words < end; words += 64)
        {
            Prefetch.Line(next);
            Prefetch.Line(next + stride);
            Prefetch.Line(next + (2 * stride));
            Prefetch.Line(next + (3 * stride));
            next += 4 * stride;
            var p = Vector512.Load(words);
            var q = Vector512.Load(words + 16);
            var r = Vector512.Load(words + 32);
            var s = Vector512.Load(words + 48);
            for (var i = 0; i < TWord.Values; i++, x++, p = TWord.Next(p), q = TWord.Next(q), r = TWord.Next(r), s = TWord.Next(s))
            {
                var v = Vector512.Create(*x);
                a = Vector512.FusedMultiplyAdd(v, Vector512.FusedMultiplyAdd(sa, TWord.First(p), ba), a);
                b = Vector512.FusedMultiplyAdd(v, Vector512.FusedMultiplyAdd(sb, TWord.First(q), bb), b);
                c = Vector512.FusedMultiplyAdd(v, Vector512.FusedMultiplyAdd(sc, TWord.First(r), bc), c);
                d = Vector512.FusedMultiplyAdd(v, Vector512.FusedMultiplyAdd(sd, TWord.First(s), bd), d);
            }
        }

        a.Store(sums);
        b.Store(sums + 16);
        c.Store(sums + 32);
        d.Store(sums + 48);
    }

    // A method of its own, so that nothing but this loop competes for registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Accumulate256<TWord, TScale>(uint* words, int count, uint* scales, uint* biases, int shift, float* x, float* sums, byte* next, nint stride)
        where TWord : struct, IWordFormat
        where TScale : struct, IWordFormat
    {
        var sa = TScale.First(Vector256.Load(scales) >> shift);
        var ba = TScale.First(Vector256.Load(biases) >> shift);
        var a = Vector256.Load(sums);
        var sb = TScale.First(Vector256.Load(scales + 8) >> shift);
        var bb = TScale.First(Vector256.Load(biases + 8) >> shift);
        var b = Vector256.Load(sums + 8);
        for (var end = words + (count * 16); words < end; words += 16)
        {
            Prefetch.Line(next);
            Prefetch.Line(next + stride);
            next += 2 * stride;
            var p = Vector256.Load(words);
            var q = Vector256.Load(words + 8);
            for (var i = 0; i < TWord.Values; i++, x++, p = TWord.Next(p), q = TWord.Next(q))
            {
                var v = Vector256.Create(*x);
                a = Vector256.FusedMultiplyAdd(v, Vector256.FusedMultiplyAdd(sa, TWord.First(p), ba), a);
                b = Vector256.FusedMultiplyAdd(v, Vector256.FusedMultiplyAdd(sb, TWord.First(q), bb), b);
            }
        }

        a.Store(sums);
        b.Store(sums + 8);
    }

    // A method of its own, so that nothing but this loop competes for registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Accumulate128<TWord, TScale>(uint* words, int count, uint* scales, uint* biases, int shift, float* x, float* sums, byte* next, nint stride)
        where TWord : struct, IWordFormat
        where TScale : struct, IWordFormat
    {
        var sa = TScale.First(Vector128.Load(scales) >> shift);
        var ba = TScale.First(Vector128.Load(biases) >> shift);
        var a = Vector128.Load(sums);
        var sb = TScale.First(Vector128.Load(scales + 4) >> shift);
        var bb = TScale.First(Vector128.Load(biases + 4) >> shift);
        var b = Vector128.Load(sums + 4);
        for (var end = words + (count * 8); words < end; words += 8)
        {
            Prefetch.Line(next);
            Prefetch.Line(next + stride);
            next += 2 * stride;
            var p = Vector128.Load(words);
            var q = Vector128.Load(words + 4);
            for (var i = 0; i < TWord.Values; i++, x++, p = TWord.Next(p), q = TWord.Next(q))
            {
                var v = Vector128.Create(*x);
                a = Vector128.FusedMultiplyAdd(v, Vector128.FusedMultiplyAdd(sa, TWord.First(p), ba), a);
                b = Vector128.FusedMultiplyAdd(v, Vector128.FusedMultiplyAdd(sb, TWord.First(q), bb), b);
            }
        }

        a.Store(sums);
        b.Store(sums + 4);
    }
}
