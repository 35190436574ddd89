using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sway.Inference.Cpu;

/// <summary>Some rows interleaved by k: what a register tile reads one step of k at a time.</summary>
internal static unsafe class RowInterleave
{
    /// <summary>destination[k, r] = source[r, k]; rows that are not there become zeros.</summary>
    /// <param name="source">The first row.</param>
    /// <param name="stride">Distance of rows in floats.</param>
    /// <param name="rows">Rows that are there.</param>
    /// <param name="packedRows">Rows to write.</param>
    /// <param name="depth">Length of a row.</param>
    /// <param name="destination">(depth, packedRows).</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* source, nint stride, int rows, int packedRows, int depth, float* destination)
    {
        var done = rows < packedRows ? 0
            : packedRows == 12 && Avx512F.IsSupported ? Twelve(source, stride, depth, destination)
            : packedRows == 6 && Sse.IsSupported ? Six(source, stride, depth, destination)
            : packedRows % 4 == 0 && Sse.IsSupported ? Fours(source, stride, packedRows, depth, destination)
            : 0;
        for (var r = 0; r < packedRows; r++)
        {
            var to = destination + (done * packedRows) + r;
            if (r >= rows)
            {
                for (var k = done; k < depth; k++, to += packedRows)
                {
                    *to = 0f;
                }

                continue;
            }

            var from = source + (r * stride);
            for (var k = done; k < depth; k++, to += packedRows)
            {
                *to = from[k];
            }
        }
    }

    // 12 x 16 values are twelve whole lines on both sides. Within 128-bit lanes fours of rows are transposed; then what is in lane i
    // of four registers becomes a line of its own.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Twelve(float* source, nint stride, int depth, float* to)
    {
        var second = source + (4 * stride);
        var third = source + (8 * stride);
        var k = 0;
        for (; k + 16 <= depth; k += 16, to += 12 * 16)
        {
            WordTranspose.Four(
                Vector512.Load(source + k), Vector512.Load(source + stride + k), Vector512.Load(source + (2 * stride) + k),
                Vector512.Load(source + (3 * stride) + k), out var a0, out var a1, out var a2, out var a3);
            WordTranspose.Four(
                Vector512.Load(second + k), Vector512.Load(second + stride + k), Vector512.Load(second + (2 * stride) + k),
                Vector512.Load(second + (3 * stride) + k), out var b0, out var b1, out var b2, out var b3);
            WordTranspose.Four(
                Vector512.Load(third + k), Vector512.Load(third + stride + k), Vector512.Load(third + (2 * stride) + k),
                Vector512.Load(third + (3 * stride) + k), out var c0, out var c1, out var c2, out var c3);
            WordTranspose.Lanes(a0, b0, c0, a1, to, 3 * 16);
            WordTranspose.Lanes(b1, c1, a2, b2, to + 16, 3 * 16);
            WordTranspose.Lanes(c2, a3, b3, c3, to + 32, 3 * 16);
        }

        return k;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Six(float* source, nint stride, int depth, float* to)
    {
        var k = 0;
        for (; k + 4 <= depth; k += 4, to += 4 * 6)
        {
            var from = source + k;
            Square(from, stride, to, 6);
            from += 4 * stride;
            var (e, f) = (Vector128.Load(from), Vector128.Load(from + stride));
            var (low, high) = (Sse.UnpackLow(e, f), Sse.UnpackHigh(e, f));
            Sse.StoreLow(to + 4, low);
            Sse.StoreHigh(to + 10, low);
            Sse.StoreLow(to + 16, high);
            Sse.StoreHigh(to + 22, high);
        }

        return k;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Fours(float* source, nint stride, int rows, int depth, float* to)
    {
        var k = 0;
        for (; k + 4 <= depth; k += 4, to += 4 * rows)
        {
            for (var r = 0; r < rows; r += 4)
            {
                Square(source + (r * stride) + k, stride, to + r, rows);
            }
        }

        return k;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Square(float* from, nint stride, float* to, int rows)
    {
        var a = Vector128.Load(from);
        var b = Vector128.Load(from + stride);
        var c = Vector128.Load(from + (2 * stride));
        var d = Vector128.Load(from + (3 * stride));
        var low = Sse.UnpackLow(a, b);
        var high = Sse.UnpackHigh(a, b);
        var low2 = Sse.UnpackLow(c, d);
        var high2 = Sse.UnpackHigh(c, d);
        Sse.MoveLowToHigh(low, low2).Store(to);
        Sse.MoveHighToLow(low2, low).Store(to + rows);
        Sse.MoveLowToHigh(high, high2).Store(to + (2 * rows));
        Sse.MoveHighToLow(high2, high).Store(to + (3 * rows));
    }
}
