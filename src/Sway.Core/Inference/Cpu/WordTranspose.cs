using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sway.Inference.Cpu;

/// <summary>Squares of 32-bit words, transposed in registers. A word may hold one float, two halves, or several quantized values.</summary>
internal static unsafe class WordTranspose
{
    /// <summary>Side of the square that this machine's registers carry: 16, 8 or 4.</summary>
    /// <remarks>Half the columns of the <see cref="GemmKernel"/> of the same machine. A constant for the compiler.</remarks>
    public static int Side =>
        Vector512.IsHardwareAccelerated && Avx512F.IsSupported ? 16 : Vector256.IsHardwareAccelerated && Avx2.IsSupported ? 8 : 4;

    /// <summary>destination[k, j] = source[j, k] for a square of <see cref="Side"/>.</summary>
    /// <param name="source">Rows <paramref name="stride"/> bytes apart.</param>
    /// <param name="stride">Distance of source rows in bytes.</param>
    /// <param name="destination">Rows <paramref name="columns"/> words apart.</param>
    /// <param name="columns">Distance of destination rows in words.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Square(byte* source, nint stride, float* destination, nint columns)
    {
        if (Side == 16)
        {
            Square16(source, stride, destination, columns);
        }
        else if (Side == 8)
        {
            Square8(source, stride, destination, columns);
        }
        else
        {
            Square4(source, stride, destination, columns);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Square16(byte* s, nint stride, float* d, nint columns)
    {
        // Pairs, then fours within 128-bit lanes; then lanes.
        var r0 = Vector512.Load((float*)s);
        var r1 = Vector512.Load((float*)(s + stride));
        var r2 = Vector512.Load((float*)(s + (2 * stride)));
        var r3 = Vector512.Load((float*)(s + (3 * stride)));
        Four(r0, r1, r2, r3, out var a0, out var a1, out var a2, out var a3);
        s += 4 * stride;
        r0 = Vector512.Load((float*)s);
        r1 = Vector512.Load((float*)(s + stride));
        r2 = Vector512.Load((float*)(s + (2 * stride)));
        r3 = Vector512.Load((float*)(s + (3 * stride)));
        Four(r0, r1, r2, r3, out var b0, out var b1, out var b2, out var b3);
        s += 4 * stride;
        r0 = Vector512.Load((float*)s);
        r1 = Vector512.Load((float*)(s + stride));
        r2 = Vector512.Load((float*)(s + (2 * stride)));
        r3 = Vector512.Load((float*)(s + (3 * stride)));
        Four(r0, r1, r2, r3, out var c0, out var c1, out var c2, out var c3);
        s += 4 * stride;
        r0 = Vector512.Load((float*)s);
        r1 = Vector512.Load((float*)(s + stride));
        r2 = Vector512.Load((float*)(s + (2 * stride)));
        r3 = Vector512.Load((float*)(s + (3 * stride)));
        Four(r0, r1, r2, r3, out var e0, out var e1, out var e2, out var e3);
        Lanes(a0, b0, c0, e0, d, 4 * columns);
        Lanes(a1, b1, c1, e1, d + columns, 4 * columns);
        Lanes(a2, b2, c2, e2, d + (2 * columns), 4 * columns);
        Lanes(a3, b3, c3, e3, d + (3 * columns), 4 * columns);
    }

    /// <summary>Lane i of result n holds word 4i + n of the four rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Four(
        Vector512<float> r0, Vector512<float> r1, Vector512<float> r2, Vector512<float> r3, out Vector512<float> w0, out Vector512<float> w1,
        out Vector512<float> w2, out Vector512<float> w3)
    {
        var low01 = Avx512F.UnpackLow(r0, r1).AsDouble();
        var high01 = Avx512F.UnpackHigh(r0, r1).AsDouble();
        var low23 = Avx512F.UnpackLow(r2, r3).AsDouble();
        var high23 = Avx512F.UnpackHigh(r2, r3).AsDouble();
        w0 = Avx512F.UnpackLow(low01, low23).AsSingle();
        w1 = Avx512F.UnpackHigh(low01, low23).AsSingle();
        w2 = Avx512F.UnpackLow(high01, high23).AsSingle();
        w3 = Avx512F.UnpackHigh(high01, high23).AsSingle();
    }

    /// <summary>A 4 x 4 transpose of 128-bit lanes; its rows lie <paramref name="step"/> words apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Lanes(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> e, float* d, nint step)
    {
        var ab02 = Avx512F.Shuffle4x128(a, b, 0x88);
        var ab13 = Avx512F.Shuffle4x128(a, b, 0xDD);
        var ce02 = Avx512F.Shuffle4x128(c, e, 0x88);
        var ce13 = Avx512F.Shuffle4x128(c, e, 0xDD);
        Avx512F.Shuffle4x128(ab02, ce02, 0x88).Store(d);
        Avx512F.Shuffle4x128(ab13, ce13, 0x88).Store(d + step);
        Avx512F.Shuffle4x128(ab02, ce02, 0xDD).Store(d + (2 * step));
        Avx512F.Shuffle4x128(ab13, ce13, 0xDD).Store(d + (3 * step));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Square8(byte* s, nint stride, float* d, nint columns)
    {
        var r0 = Vector256.Load((float*)s);
        var r1 = Vector256.Load((float*)(s + stride));
        var r2 = Vector256.Load((float*)(s + (2 * stride)));
        var r3 = Vector256.Load((float*)(s + (3 * stride)));
        s += 4 * stride;
        var r4 = Vector256.Load((float*)s);
        var r5 = Vector256.Load((float*)(s + stride));
        var r6 = Vector256.Load((float*)(s + (2 * stride)));
        var r7 = Vector256.Load((float*)(s + (3 * stride)));
        var a0 = Avx.UnpackLow(r0, r1).AsDouble();
        var a1 = Avx.UnpackHigh(r0, r1).AsDouble();
        var a2 = Avx.UnpackLow(r2, r3).AsDouble();
        var a3 = Avx.UnpackHigh(r2, r3).AsDouble();
        var a4 = Avx.UnpackLow(r4, r5).AsDouble();
        var a5 = Avx.UnpackHigh(r4, r5).AsDouble();
        var a6 = Avx.UnpackLow(r6, r7).AsDouble();
        var a7 = Avx.UnpackHigh(r6, r7).AsDouble();
        Halves(Avx.UnpackLow(a0, a2).AsSingle(), Avx.UnpackLow(a4, a6).AsSingle(), d, 4 * columns);
        Halves(Avx.UnpackHigh(a0, a2).AsSingle(), Avx.UnpackHigh(a4, a6).AsSingle(), d + columns, 4 * columns);
        Halves(Avx.UnpackLow(a1, a3).AsSingle(), Avx.UnpackLow(a5, a7).AsSingle(), d + (2 * columns), 4 * columns);
        Halves(Avx.UnpackHigh(a1, a3).AsSingle(), Avx.UnpackHigh(a5, a7).AsSingle(), d + (3 * columns), 4 * columns);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Halves(Vector256<float> a, Vector256<float> b, float* d, nint step)
    {
        Avx.Permute2x128(a, b, 0x20).Store(d);
        Avx.Permute2x128(a, b, 0x31).Store(d + step);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Square4(byte* s, nint stride, float* d, nint columns)
    {
        for (var j = 0; j < 4; j++, s += stride, d++)
        {
            var row = Vector128.Load((float*)s);
            d[0] = row[0];
            d[columns] = row[1];
            d[2 * columns] = row[2];
            d[3 * columns] = row[3];
        }
    }
}
