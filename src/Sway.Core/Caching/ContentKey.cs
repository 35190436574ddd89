using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Sway.Caching;

/// <summary>
/// Builds a key from everything that decides a result. Each part is written with its label and both lengths, so that no two lists of
/// parts give the same bytes.
/// </summary>
internal sealed class ContentKey : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>This very build of the library and the runtime that computes: any other may give other bits.</summary>
    public static string Software { get; } =
        $"{typeof(ContentKey).Module.ModuleVersionId:N} {typeof(System.Numerics.Tensors.TensorPrimitives).Assembly.GetName().Version} {Environment.Version}";

    /// <summary>Adds a part.</summary>
    public ContentKey Add(string label, ReadOnlySpan<byte> value)
    {
        Write(Encoding.UTF8.GetBytes(label));
        Write(value);
        return this;
    }

    /// <summary>Adds a text; null and empty differ.</summary>
    public ContentKey Add(string label, string? value) =>
        value is null ? Add(label + "?", []) : Add(label, Encoding.UTF8.GetBytes(value));

    /// <summary>Adds a number by its bits.</summary>
    public ContentKey Add(string label, double value) => Add(label, BitConverter.GetBytes(value));

    /// <summary>Adds a number.</summary>
    public ContentKey Add(string label, long value) => Add(label, BitConverter.GetBytes(value));

    /// <summary>The key as 64 hexadecimal digits; nothing can be added afterwards.</summary>
    public string Finish() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    /// <inheritdoc/>
    public void Dispose() => _hash.Dispose();

    private void Write(ReadOnlySpan<byte> bytes)
    {
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, bytes.Length);
        _hash.AppendData(length);
        _hash.AppendData(bytes);
    }
}
