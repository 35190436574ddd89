using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Sway.Caching;

/// <summary>SHA-256 of files, remembered by path and identity, so that a file is read once and not again until it changes.</summary>
internal sealed class FileDigests(CacheStore store)
{
    private const int BlockLength = 1 << 20;

    /// <summary>The digest as hexadecimal digits.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Stops between blocks.</param>
    /// <exception cref="CacheException">The file changes while it is read.</exception>
    public string Of(string path, CancellationToken cancellationToken = default) => Of(path, out _, cancellationToken);

    /// <summary>The digest, and the identity that the file has with it.</summary>
    public string Of(string path, out FileIdentity identity, CancellationToken cancellationToken = default)
    {
        string full = Path.GetFullPath(path);
        identity = FileIdentity.Of(full);
        string memo = store.DigestPath(full);
        string fingerprint = string.Create(
            CultureInfo.InvariantCulture,
            $"{full}\n{identity.Size} {identity.Modified} {identity.Changed} {identity.Device} {identity.Node}\n");
        if (SealedRecord.Read(memo) is { } payload && Encoding.UTF8.GetString(payload.Span) is var text
            && text.Length == fingerprint.Length + (2 * SHA256.HashSizeInBytes) && text.StartsWith(fingerprint, StringComparison.Ordinal))
        {
            return text[fingerprint.Length..];
        }

        string digest = Compute(full, cancellationToken);
        if (FileIdentity.Of(full) != identity)
        {
            throw new CacheException($"{path} changes while it is read.") { Path = path, Remedy = "Wait until it is written, then try again." };
        }

        if (identity.IsSettled)
        {
            store.TryWriteRecord(memo, Encoding.UTF8.GetBytes(fingerprint + digest));
        }

        return digest;
    }

    /// <summary>The digest, from the file's bytes.</summary>
    public static string Compute(string path, CancellationToken cancellationToken)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read, FileOptions.SequentialScan);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] block = ArrayPool<byte>.Shared.Rent(BlockLength);
        try
        {
            long offset = 0;
            for (int read; (read = RandomAccess.Read(file, block.AsSpan(0, BlockLength), offset)) > 0; offset += read)
            {
                cancellationToken.ThrowIfCancellationRequested();
                hash.AppendData(block, 0, read);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
