using System.Buffers.Binary;

namespace Sway.Unit.Fuzzing;

/// <summary>Changes bytes without knowing what they mean.</summary>
internal static class ByteMutator
{
    private static readonly long[] s_lengths =
    [
        0, 1, -1, 2, 7, 8, 127, 128, 255, 256, 32767, 65535, 65536, int.MaxValue, int.MinValue, uint.MaxValue, 1L << 32, 100_000_001, long.MaxValue, long.MinValue, 1L << 62,
    ];

    /// <summary>Applies one to four changes.</summary>
    public static byte[] Mutate(byte[] bytes, Random random)
    {
        for (int round = random.Next(4); round >= 0; round--)
        {
            bytes = Once(bytes, random);
        }

        return bytes;
    }

    private static byte[] Once(byte[] bytes, Random random)
    {
        if (bytes.Length == 0)
        {
            return [(byte)random.Next(256)];
        }

        // Headers and directories lie at the ends, and most of a file between is weights.
        int at = random.Next(3) switch
        {
            0 => random.Next(Math.Min(bytes.Length, 400)),
            1 => bytes.Length - 1 - random.Next(Math.Min(bytes.Length, 400)),
            _ => random.Next(bytes.Length),
        };
        int count = Math.Min(random.Next(1, 40), bytes.Length - at);
        byte[] copy = [.. bytes];
        switch (random.Next(9))
        {
            case 0:
                copy[at] ^= (byte)(1 << random.Next(8));
                return copy;
            case 1:
                copy[at] = (byte)random.Next(256);
                return copy;
            case 2:
                return bytes[..at];
            case 3:
                return [.. bytes[..at], .. bytes[(at + count)..]];
            case 4:
                return [.. bytes[..(at + count)], .. bytes[at..]];
            case 5:
                return WriteLength(copy, at, random);
            case 6:
                copy.AsSpan(at, count).Fill((byte)(random.Next(2) * 255));
                return copy;
            case 7:
                int from = random.Next(bytes.Length - count + 1);
                bytes.AsSpan(from, count).CopyTo(copy.AsSpan(at));
                return copy;
            default:
                byte[] noise = new byte[count];
                random.NextBytes(noise);
                return [.. bytes[..at], .. noise, .. bytes[at..]];
        }
    }

    private static byte[] WriteLength(byte[] bytes, int at, Random random)
    {
        Span<byte> value = stackalloc byte[sizeof(long)];
        long length = random.Next(4) == 0 ? bytes.Length + random.Next(-2, 3) : s_lengths[random.Next(s_lengths.Length)];
        BinaryPrimitives.WriteInt64LittleEndian(value, length);
        int width = Math.Min(1 << random.Next(4), bytes.Length - at);
        value[..width].CopyTo(bytes.AsSpan(at));
        return bytes;
    }
}
