using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Sway.Caching;

/// <summary>
/// A small file that proves its own content: mark, length and SHA-256 in front of the payload. A torn or changed record reads as none.
/// </summary>
internal static class SealedRecord
{
    private const int HeaderLength = 8 + 8 + SHA256.HashSizeInBytes;

    private static ReadOnlySpan<byte> Mark => "SWAYREC1"u8;

    /// <summary>The bytes of a record with this payload.</summary>
    public static byte[] Seal(ReadOnlySpan<byte> payload)
    {
        byte[] record = new byte[HeaderLength + payload.Length];
        Mark.CopyTo(record);
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(8), payload.Length);
        payload.CopyTo(record.AsSpan(HeaderLength));
        SHA256.HashData(payload, record.AsSpan(16, SHA256.HashSizeInBytes));
        return record;
    }

    /// <summary>The payload of a record's bytes; null when they are damaged.</summary>
    public static ReadOnlyMemory<byte>? Open(byte[] record)
    {
        if (record.Length < HeaderLength || !record.AsSpan().StartsWith(Mark)
            || BinaryPrimitives.ReadInt64LittleEndian(record.AsSpan(8)) != record.Length - HeaderLength)
        {
            return null;
        }

        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(record.AsSpan(HeaderLength), digest);
        if (!digest.SequenceEqual(record.AsSpan(16, SHA256.HashSizeInBytes)))
        {
            return null;
        }

        return record.AsMemory(HeaderLength);
    }

    /// <summary>The payload of a file; null when it is absent or damaged.</summary>
    public static ReadOnlyMemory<byte>? Read(string path)
    {
        try
        {
            return Open(File.ReadAllBytes(path));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }
}
