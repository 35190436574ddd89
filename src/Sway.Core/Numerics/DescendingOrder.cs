using System.Buffers;

namespace Sway.Numerics;

/// <summary>
/// The order of a row of logits, largest first and equal ones by index: a radix sort, in which the time does not grow faster than the
/// vocabulary and the order is the one that a stable comparison sort gives.
/// </summary>
internal static class DescendingOrder
{
    private const int Bits = 11;
    private const int Buckets = 1 << Bits;

    /// <summary>Writes the indices of the values in descending order of these.</summary>
    /// <param name="values">Finite numbers; zeros of both signs are equal.</param>
    /// <param name="order">Receives the indices; as long as <paramref name="values"/>.</param>
    public static void Of(ReadOnlySpan<float> values, Span<int> order)
    {
        int count = values.Length;
        ulong[] first = ArrayPool<ulong>.Shared.Rent(count);
        ulong[] second = ArrayPool<ulong>.Shared.Rent(count);
        try
        {
            for (int i = 0; i < count; i++)
            {
                first[i] = ((ulong)Key(values[i]) << 32) | (uint)i;
            }

            Span<int> starts = stackalloc int[Buckets];
            for (int shift = 32; shift < 64; shift += Bits)
            {
                Pass(first.AsSpan(0, count), second.AsSpan(0, count), shift, starts);
                (first, second) = (second, first);
            }

            for (int i = 0; i < count; i++)
            {
                order[i] = (int)(uint)first[i];
            }
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(first);
            ArrayPool<ulong>.Shared.Return(second);
        }
    }

    // Smaller for larger numbers. Adding zero makes a positive zero of a negative one.
    private static uint Key(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value + 0f);
        return (bits & 0x80000000) != 0 ? bits : ~(bits | 0x80000000);
    }

    private static void Pass(ReadOnlySpan<ulong> from, Span<ulong> to, int shift, Span<int> starts)
    {
        starts.Clear();
        foreach (ulong item in from)
        {
            starts[(int)(item >> shift) & (Buckets - 1)]++;
        }

        int at = 0;
        foreach (ref int start in starts)
        {
            (start, at) = (at, at + start);
        }

        foreach (ulong item in from)
        {
            to[starts[(int)(item >> shift) & (Buckets - 1)]++] = item;
        }
    }
}
