using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Sway.Tensors;

/// <summary>Conversions between stored elements and numbers. Narrowing rounds to nearest, ties to even; NaN stays NaN.</summary>
public static class ElementConversion
{
    private static readonly float[] s_float8E4M3 = [.. Enumerable.Range(0, 256).Select(bits => DecodeFloat8((byte)bits, 4, 3, 7))];
    private static readonly float[] s_float8E5M2 = [.. Enumerable.Range(0, 256).Select(bits => DecodeFloat8((byte)bits, 5, 2, 15))];

    /// <summary>Widens stored elements to float32. Exact for every type but F64, which is rounded.</summary>
    /// <exception cref="NotSupportedException">The type is not a real number type that Sway reads.</exception>
    public static void ToSingle(DType dtype, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (dtype)
        {
            case DType.F32:
                MemoryMarshal.Cast<byte, float>(source)[..destination.Length].CopyTo(destination);
                break;
            case DType.BF16:
                WidenBFloat16(MemoryMarshal.Cast<byte, ushort>(source)[..destination.Length], destination);
                break;
            case DType.F16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(source)[..destination.Length], destination);
                break;
            case DType.F64:
                TensorPrimitives.ConvertTruncating<double, float>(MemoryMarshal.Cast<byte, double>(source)[..destination.Length], destination);
                break;
            case DType.F8E4M3 or DType.F8E5M2:
                float[] table = dtype == DType.F8E4M3 ? s_float8E4M3 : s_float8E5M2;
                for (int i = 0; i < destination.Length; i++)
                {
                    destination[i] = table[source[i]];
                }

                break;
            default:
                throw new NotSupportedException($"{dtype.SafetensorsName()} elements are not read as numbers.");
        }
    }

    /// <summary>Widens stored elements to float64; exact for every type.</summary>
    public static void ToDouble(DType dtype, ReadOnlySpan<byte> source, Span<double> destination)
    {
        if (dtype == DType.F64)
        {
            MemoryMarshal.Cast<byte, double>(source)[..destination.Length].CopyTo(destination);
            return;
        }

        Span<float> block = stackalloc float[256];
        int size = dtype.ByteSize();
        for (int start = 0; start < destination.Length; start += block.Length)
        {
            int count = Math.Min(block.Length, destination.Length - start);
            ToSingle(dtype, source.Slice(start * size, count * size), block[..count]);
            for (int i = 0; i < count; i++)
            {
                destination[start + i] = block[i];
            }
        }
    }

    /// <summary>Stores float64 numbers as elements of a type, with one rounding.</summary>
    public static void FromDouble(DType dtype, ReadOnlySpan<double> source, Span<byte> destination)
    {
        switch (dtype)
        {
            case DType.F64:
                source.CopyTo(MemoryMarshal.Cast<byte, double>(destination));
                break;
            case DType.F32:
                Span<float> singles = MemoryMarshal.Cast<byte, float>(destination);
                for (int i = 0; i < source.Length; i++)
                {
                    singles[i] = (float)source[i];
                }

                break;
            case DType.F16:
                Span<Half> halves = MemoryMarshal.Cast<byte, Half>(destination);
                for (int i = 0; i < source.Length; i++)
                {
                    halves[i] = (Half)source[i];
                }

                break;
            case DType.BF16:
                Span<ushort> words = MemoryMarshal.Cast<byte, ushort>(destination);
                for (int i = 0; i < source.Length; i++)
                {
                    words[i] = ToBFloat16(source[i]);
                }

                break;
            default:
                throw new NotSupportedException($"Sway does not write {dtype.SafetensorsName()} elements.");
        }
    }

    /// <summary>Rounds float32 to bfloat16, to nearest even. A NaN keeps its sign and becomes quiet.</summary>
    public static ushort ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value)
            ? (ushort)((bits >> 16) | 0x40)
            : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>Rounds float64 to bfloat16 once: through float32 rounded to odd, so that no tie is met twice.</summary>
    public static ushort ToBFloat16(double value)
    {
        float single = (float)value;
        if (single != value && float.IsFinite(single))
        {
            // Round to odd: take the neighbour toward zero, then set its last bit to mark that something was cut off.
            uint bits = BitConverter.SingleToUInt32Bits(single);
            if (Math.Abs((double)single) > Math.Abs(value))
            {
                bits--;
            }

            single = BitConverter.UInt32BitsToSingle(bits | 1);
        }

        return ToBFloat16(single);
    }

    /// <summary>Widens a bfloat16 word to float32 (exact).</summary>
    public static float FromBFloat16(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    private static void WidenBFloat16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        Span<uint> words = MemoryMarshal.Cast<float, uint>(destination);
        TensorPrimitives.ConvertTruncating<ushort, uint>(source, words);
        TensorPrimitives.ShiftLeft(words, 16, words);
    }

    private static float DecodeFloat8(byte bits, int exponentBits, int mantissaBits, int bias)
    {
        int exponent = (bits >> mantissaBits) & ((1 << exponentBits) - 1);
        int mantissa = bits & ((1 << mantissaBits) - 1);
        float sign = (bits & 0x80) != 0 ? -1f : 1f;
        int top = (1 << exponentBits) - 1;
        if (exponentBits == 5 && exponent == top)
        {
            return mantissa == 0 ? sign * float.PositiveInfinity : float.NaN;
        }

        if (exponentBits == 4 && exponent == top && mantissa == (1 << mantissaBits) - 1)
        {
            return float.NaN; // E4M3FN has no infinity, only this NaN of each sign.
        }

        return exponent == 0
            ? sign * mantissa * MathF.ScaleB(1f, 1 - bias - mantissaBits)
            : sign * (mantissa + (1 << mantissaBits)) * MathF.ScaleB(1f, exponent - bias - mantissaBits);
    }
}
