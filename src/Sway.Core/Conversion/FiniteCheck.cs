using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Sway.Tensors;

namespace Sway.Conversion;

/// <summary>Finds NaN and infinity in stored numbers: an exponent of all ones.</summary>
internal static class FiniteCheck
{
    /// <summary>True when every element is finite; types without infinities are always so.</summary>
    public static bool IsFinite(DType dtype, ReadOnlySpan<byte> bytes) => dtype switch
    {
        DType.F32 => !AnyMasked(MemoryMarshal.Cast<byte, uint>(bytes), 0x7F80_0000u),
        DType.BF16 => !AnyMasked(MemoryMarshal.Cast<byte, ushort>(bytes), (ushort)0x7F80),
        DType.F16 => !AnyMasked(MemoryMarshal.Cast<byte, ushort>(bytes), (ushort)0x7C00),
        DType.F64 => !AnyMasked(MemoryMarshal.Cast<byte, ulong>(bytes), 0x7FF0_0000_0000_0000ul),
        // E4M3FN has only the two NaNs, E5M2 an exponent of ones.
        DType.F8E4M3 => !AnyMasked(bytes, (byte)0x7F),
        DType.F8E5M2 => !AnyMasked(bytes, (byte)0x7C),
        _ => true,
    };

    /// <inheritdoc cref="IsFinite(DType, ReadOnlySpan{byte})"/>
    public static bool IsFinite(DType dtype, byte[] bytes) => IsFinite(dtype, bytes.AsSpan());

    private static bool AnyMasked<T>(ReadOnlySpan<T> words, T mask)
        where T : unmanaged, System.Numerics.IBitwiseOperators<T, T, T>, IEquatable<T>
    {
        int i = 0;
        Vector512<T> wide = Vector512.Create(mask);
        for (; i <= words.Length - Vector512<T>.Count; i += Vector512<T>.Count)
        {
            if (Vector512.EqualsAny(Vector512.Create(words.Slice(i, Vector512<T>.Count)) & wide, wide))
            {
                return true;
            }
        }

        for (; i < words.Length; i++)
        {
            if ((words[i] & mask).Equals(mask))
            {
                return true;
            }
        }

        return false;
    }
}
