using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Sway.Tensors;

/// <summary>
/// Transposes matrices of 2-, 4- and 8-byte words without touching their bits, in tiles that stay in the first-level cache.
/// </summary>
internal static class Transposition
{
    // 64 x 64 words of 4 bytes are 16 KB read and 16 KB written.
    private const int Tile = 64;

    /// <summary>Writes the transpose: <c>destination[c * destinationStride + r] = source[r * sourceStride + c]</c>.</summary>
    /// <param name="wordSize">1, 2, 4 or 8 bytes; strides and counts are in words.</param>
    public static void Transpose(
        ReadOnlySpan<byte> source, int sourceStride, Span<byte> destination, int destinationStride, int rows, int columns, int wordSize)
    {
        if (rows == 0 || columns == 0)
        {
            return;
        }

        switch (wordSize)
        {
            case 2:
                Tiled<ushort>(source, sourceStride, destination, destinationStride, rows, columns, 8);
                break;
            case 4:
                Tiled<uint>(source, sourceStride, destination, destinationStride, rows, columns, 4);
                break;
            case 8:
                Tiled<ulong>(source, sourceStride, destination, destinationStride, rows, columns, 2);
                break;
            default:
                Tiled<byte>(source, sourceStride, destination, destinationStride, rows, columns, int.MaxValue);
                break;
        }
    }

    private static void Tiled<T>(
        ReadOnlySpan<byte> source, int sourceStride, Span<byte> destination, int destinationStride, int rows, int columns, int block)
        where T : unmanaged
    {
        ReadOnlySpan<T> from = MemoryMarshal.Cast<byte, T>(source);
        Span<T> to = MemoryMarshal.Cast<byte, T>(destination);

        // The vector paths index without bounds checks, so the extents are proved once here.
        _ = from[checked(((rows - 1) * sourceStride) + columns - 1)];
        _ = to[checked(((columns - 1) * destinationStride) + rows - 1)];
        ref T src = ref MemoryMarshal.GetReference(from);
        ref T dst = ref MemoryMarshal.GetReference(to);

        for (int r0 = 0; r0 < rows; r0 += Tile)
        {
            int r1 = Math.Min(r0 + Tile, rows);
            for (int c0 = 0; c0 < columns; c0 += Tile)
            {
                int c1 = Math.Min(c0 + Tile, columns);
                int r2 = block <= Tile ? r0 + ((r1 - r0) / block * block) : r0;
                int c2 = block <= Tile ? c0 + ((c1 - c0) / block * block) : c0;
                if (sourceStride >= destinationStride)
                {
                    for (int r = r0; r < r2; r += block)
                    {
                        for (int c = c0; c < c2; c += block)
                        {
                            Block(ref Unsafe.Add(ref src, (r * sourceStride) + c), sourceStride, ref Unsafe.Add(ref dst, (c * destinationStride) + r), destinationStride);
                        }
                    }
                }
                else
                {
                    // Rows far apart fall into the same sets of the cache: the side with the longer stride goes few rows at a time.
                    for (int c = c0; c < c2; c += block)
                    {
                        for (int r = r0; r < r2; r += block)
                        {
                            Block(ref Unsafe.Add(ref src, (r * sourceStride) + c), sourceStride, ref Unsafe.Add(ref dst, (c * destinationStride) + r), destinationStride);
                        }
                    }
                }

                Scalar(ref src, sourceStride, ref dst, destinationStride, r0, r2, c2, c1);
                Scalar(ref src, sourceStride, ref dst, destinationStride, r2, r1, c0, c1);
            }
        }
    }

    private static void Scalar<T>(
        ref T src, int sourceStride, ref T dst, int destinationStride, int r0, int r1, int c0, int c1)
        where T : unmanaged
    {
        for (int r = r0; r < r1; r++)
        {
            for (int c = c0; c < c1; c++)
            {
                Unsafe.Add(ref dst, (c * destinationStride) + r) = Unsafe.Add(ref src, (r * sourceStride) + c);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Block<T>(ref T src, int sourceStride, ref T dst, int destinationStride)
        where T : unmanaged
    {
        if (typeof(T) == typeof(uint))
        {
            Block4(ref Unsafe.As<T, uint>(ref src), sourceStride, ref Unsafe.As<T, uint>(ref dst), destinationStride);
        }
        else if (typeof(T) == typeof(ushort))
        {
            Block8(ref Unsafe.As<T, ushort>(ref src), sourceStride, ref Unsafe.As<T, ushort>(ref dst), destinationStride);
        }
        else if (typeof(T) == typeof(ulong))
        {
            Block2(ref Unsafe.As<T, ulong>(ref src), sourceStride, ref Unsafe.As<T, ulong>(ref dst), destinationStride);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Block2(ref ulong src, int ss, ref ulong dst, int ds)
    {
        Vector128<ulong> a = Vector128.LoadUnsafe(ref src);
        Vector128<ulong> b = Vector128.LoadUnsafe(ref Unsafe.Add(ref src, ss));
        ZipLow(a, b).StoreUnsafe(ref dst);
        ZipHigh(a, b).StoreUnsafe(ref Unsafe.Add(ref dst, ds));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Block4(ref uint src, int ss, ref uint dst, int ds)
    {
        Vector128<uint> a = Vector128.LoadUnsafe(ref src);
        Vector128<uint> b = Vector128.LoadUnsafe(ref Unsafe.Add(ref src, ss));
        Vector128<uint> c = Vector128.LoadUnsafe(ref Unsafe.Add(ref src, 2 * ss));
        Vector128<uint> d = Vector128.LoadUnsafe(ref Unsafe.Add(ref src, 3 * ss));
        Vector128<ulong> ab0 = ZipLow(a, b).AsUInt64();
        Vector128<ulong> ab1 = ZipHigh(a, b).AsUInt64();
        Vector128<ulong> cd0 = ZipLow(c, d).AsUInt64();
        Vector128<ulong> cd1 = ZipHigh(c, d).AsUInt64();
        ZipLow(ab0, cd0).AsUInt32().StoreUnsafe(ref dst);
        ZipHigh(ab0, cd0).AsUInt32().StoreUnsafe(ref Unsafe.Add(ref dst, ds));
        ZipLow(ab1, cd1).AsUInt32().StoreUnsafe(ref Unsafe.Add(ref dst, 2 * ds));
        ZipHigh(ab1, cd1).AsUInt32().StoreUnsafe(ref Unsafe.Add(ref dst, 3 * ds));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Block8(ref ushort src, int ss, ref ushort dst, int ds)
    {
        Vector128<ushort> a = Vector128.LoadUnsafe(ref src);
        Vector128<ushort> b = Vector128.LoadUnsafe(ref Unsafe.Add(ref src, ss));
        Vector128<ushort> c = Vector128.LoadUnsafe(ref Unsafe.Add(ref src, 2 * ss));
        Vector128<ushort> d = Vector128.LoadUnsafe(ref Unsafe.Add(ref src, 3 * ss));
        Vector128<ushort> e = Vector128.LoadUnsafe(ref Unsafe.Add(ref src, 4 * ss));
        Vector128<ushort> f = Vector128.LoadUnsafe(ref Unsafe.Add(ref src, 5 * ss));
        Vector128<ushort> g = Vector128.LoadUnsafe(ref Unsafe.Add(ref src, 6 * ss));
        Vector128<ushort> h = Vector128.LoadUnsafe(ref Unsafe.Add(ref src, 7 * ss));
        Vector128<uint> ab0 = ZipLow(a, b).AsUInt32(), ab1 = ZipHigh(a, b).AsUInt32();
        Vector128<uint> cd0 = ZipLow(c, d).AsUInt32(), cd1 = ZipHigh(c, d).AsUInt32();
        Vector128<uint> ef0 = ZipLow(e, f).AsUInt32(), ef1 = ZipHigh(e, f).AsUInt32();
        Vector128<uint> gh0 = ZipLow(g, h).AsUInt32(), gh1 = ZipHigh(g, h).AsUInt32();
        Vector128<ulong> abcd0 = ZipLow(ab0, cd0).AsUInt64(), abcd1 = ZipHigh(ab0, cd0).AsUInt64();
        Vector128<ulong> abcd2 = ZipLow(ab1, cd1).AsUInt64(), abcd3 = ZipHigh(ab1, cd1).AsUInt64();
        Vector128<ulong> efgh0 = ZipLow(ef0, gh0).AsUInt64(), efgh1 = ZipHigh(ef0, gh0).AsUInt64();
        Vector128<ulong> efgh2 = ZipLow(ef1, gh1).AsUInt64(), efgh3 = ZipHigh(ef1, gh1).AsUInt64();
        ZipLow(abcd0, efgh0).AsUInt16().StoreUnsafe(ref dst);
        ZipHigh(abcd0, efgh0).AsUInt16().StoreUnsafe(ref Unsafe.Add(ref dst, ds));
        ZipLow(abcd1, efgh1).AsUInt16().StoreUnsafe(ref Unsafe.Add(ref dst, 2 * ds));
        ZipHigh(abcd1, efgh1).AsUInt16().StoreUnsafe(ref Unsafe.Add(ref dst, 3 * ds));
        ZipLow(abcd2, efgh2).AsUInt16().StoreUnsafe(ref Unsafe.Add(ref dst, 4 * ds));
        ZipHigh(abcd2, efgh2).AsUInt16().StoreUnsafe(ref Unsafe.Add(ref dst, 5 * ds));
        ZipLow(abcd3, efgh3).AsUInt16().StoreUnsafe(ref Unsafe.Add(ref dst, 6 * ds));
        ZipHigh(abcd3, efgh3).AsUInt16().StoreUnsafe(ref Unsafe.Add(ref dst, 7 * ds));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> ZipLow(Vector128<ulong> a, Vector128<ulong> b) =>
        Sse2.IsSupported ? Sse2.UnpackLow(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
        : Vector128.Create(a.GetElement(0), b.GetElement(0));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> ZipHigh(Vector128<ulong> a, Vector128<ulong> b) =>
        Sse2.IsSupported ? Sse2.UnpackHigh(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
        : Vector128.Create(a.GetElement(1), b.GetElement(1));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> ZipLow(Vector128<uint> a, Vector128<uint> b) =>
        Sse2.IsSupported ? Sse2.UnpackLow(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
        : Vector128.Create(a.GetElement(0), b.GetElement(0), a.GetElement(1), b.GetElement(1));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> ZipHigh(Vector128<uint> a, Vector128<uint> b) =>
        Sse2.IsSupported ? Sse2.UnpackHigh(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
        : Vector128.Create(a.GetElement(2), b.GetElement(2), a.GetElement(3), b.GetElement(3));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ushort> ZipLow(Vector128<ushort> a, Vector128<ushort> b) =>
        Sse2.IsSupported ? Sse2.UnpackLow(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
        : Vector128.Create(a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ushort> ZipHigh(Vector128<ushort> a, Vector128<ushort> b) =>
        Sse2.IsSupported ? Sse2.UnpackHigh(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
        : Vector128.Create(a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7]);
}
