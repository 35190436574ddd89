using System.Security.Cryptography;

namespace Sway.Caching;

/// <summary>A key from everything that decides a result: the SHA-256 of its parts.</summary>
internal sealed class ContentKey : KeyParts, IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>This very build of the library and the runtime that computes: any other may give other bits.</summary>
    public static string Software { get; } =
        $"{typeof(ContentKey).Module.ModuleVersionId:N} {typeof(System.Numerics.Tensors.TensorPrimitives).Assembly.GetName().Version} {Environment.Version}";

    /// <summary>The key as 64 hexadecimal digits; nothing can be added afterwards.</summary>
    public string Finish() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    /// <inheritdoc/>
    public void Dispose() => _hash.Dispose();

    /// <inheritdoc/>
    protected override void Append(ReadOnlySpan<byte> bytes) => _hash.AppendData(bytes);
}
