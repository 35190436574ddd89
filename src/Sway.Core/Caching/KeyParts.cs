using System.Buffers.Binary;
using System.Text;

namespace Sway.Caching;

/// <summary>
/// The parts of a key. Each is written with its label and both lengths, so that no two lists of parts give the same bytes.
/// </summary>
internal abstract class KeyParts
{
    /// <summary>Adds a part.</summary>
    public KeyParts Add(string label, ReadOnlySpan<byte> value)
    {
        Write(Encoding.UTF8.GetBytes(label));
        Write(value);
        return this;
    }

    /// <summary>Adds a text; null and empty differ.</summary>
    public KeyParts Add(string label, string? value) =>
        value is null ? Add(label + "?", []) : Add(label, Encoding.UTF8.GetBytes(value));

    /// <summary>Adds a number by its bits.</summary>
    public KeyParts Add(string label, double value) => Add(label, BitConverter.GetBytes(value));

    /// <summary>Adds a number.</summary>
    public KeyParts Add(string label, long value) => Add(label, BitConverter.GetBytes(value));

    /// <summary>Takes the next bytes of the key.</summary>
    protected abstract void Append(ReadOnlySpan<byte> bytes);

    private void Write(ReadOnlySpan<byte> bytes)
    {
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, bytes.Length);
        Append(length);
        Append(bytes);
    }
}

/// <summary>
/// The parts themselves, for keys that are compared in this process and never written: exact, and no library for digests is loaded.
/// </summary>
internal sealed class PlainKey : KeyParts
{
    private readonly List<byte> _bytes = [];

    /// <summary>All parts.</summary>
    public byte[] ToArray() => [.. _bytes];

    /// <inheritdoc/>
    protected override void Append(ReadOnlySpan<byte> bytes) => _bytes.AddRange(bytes);
}
