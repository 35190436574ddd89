using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sway.Inference.Cpu;

/// <summary>Turns rows of weights (columns of the panel) into a panel interleaved by k.</summary>
internal static unsafe class PanelTranspose
{
    /// <summary>destination[k, j] = source[j, k] for j &lt; valid, 0 for the other columns.</summary>
    /// <param name="source">(valid, depth), rows <paramref name="stride"/> floats apart.</param>
    /// <param name="stride">Distance of source rows in floats.</param>
    /// <param name="valid">Rows that are there.</param>
    /// <param name="columns">Columns of the panel, a multiple of 8.</param>
    /// <param name="depth">Length of k.</param>
    /// <param name="destination">(depth, columns).</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* source, nint stride, int valid, int columns, int depth, float* destination)
    {
        var j = 0;
        if (Avx.IsSupported)
        {
            for (; j + 8 <= valid; j += 8)
            {
                var k = 0;
                for (; k + 8 <= depth; k += 8)
                {
                    Square8(source + (j * stride) + k, stride, destination + ((nint)k * columns) + j, columns);
                }

                Scalar(source + (j * stride) + k, stride, 8, columns, depth - k, destination + ((nint)k * columns) + j);
            }
        }

        Scalar(source + (j * stride), stride, valid - j, columns, depth, destination + j);
        if (valid < columns)
        {
            for (var k = 0; k < depth; k++)
            {
                new Span<float>(destination + ((nint)k * columns) + valid, columns - valid).Clear();
            }
        }
    }

    private static void Scalar(float* source, nint stride, int rows, int columns, int depth, float* destination)
    {
        for (var j = 0; j < rows; j++)
        {
            var from = source + (j * stride);
            var to = destination + j;
            for (var k = 0; k < depth; k++, to += columns)
            {
                *to = from[k];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Square8(float* source, nint stride, float* destination, nint columns)
    {
        var r0 = Vector256.Load(source);
        var r1 = Vector256.Load(source + stride);
        var r2 = Vector256.Load(source + (2 * stride));
        var r3 = Vector256.Load(source + (3 * stride));
        var r4 = Vector256.Load(source + (4 * stride));
        var r5 = Vector256.Load(source + (5 * stride));
        var r6 = Vector256.Load(source + (6 * stride));
        var r7 = Vector256.Load(source + (7 * stride));
        var a0 = Avx.UnpackLow(r0, r1);
        var a1 = Avx.UnpackHigh(r0, r1);
        var a2 = Avx.UnpackLow(r2, r3);
        var a3 = Avx.UnpackHigh(r2, r3);
        var a4 = Avx.UnpackLow(r4, r5);
        var a5 = Avx.UnpackHigh(r4, r5);
        var a6 = Avx.UnpackLow(r6, r7);
        var a7 = Avx.UnpackHigh(r6, r7);
        var b0 = Avx.Shuffle(a0, a2, 0x44);
        var b1 = Avx.Shuffle(a0, a2, 0xEE);
        var b2 = Avx.Shuffle(a1, a3, 0x44);
        var b3 = Avx.Shuffle(a1, a3, 0xEE);
        var b4 = Avx.Shuffle(a4, a6, 0x44);
        var b5 = Avx.Shuffle(a4, a6, 0xEE);
        var b6 = Avx.Shuffle(a5, a7, 0x44);
        var b7 = Avx.Shuffle(a5, a7, 0xEE);
        Avx.Permute2x128(b0, b4, 0x20).Store(destination);
        Avx.Permute2x128(b1, b5, 0x20).Store(destination + columns);
        Avx.Permute2x128(b2, b6, 0x20).Store(destination + (2 * columns));
        Avx.Permute2x128(b3, b7, 0x20).Store(destination + (3 * columns));
        Avx.Permute2x128(b0, b4, 0x31).Store(destination + (4 * columns));
        Avx.Permute2x128(b1, b5, 0x31).Store(destination + (5 * columns));
        Avx.Permute2x128(b2, b6, 0x31).Store(destination + (6 * columns));
        Avx.Permute2x128(b3, b7, 0x31).Store(destination + (7 * columns));
    }
}
