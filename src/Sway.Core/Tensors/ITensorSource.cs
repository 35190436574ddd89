namespace Sway.Tensors;

/// <summary>Something that holds the bytes of one tensor: a range of a file, or numbers computed in memory.</summary>
public interface ITensorSource
{
    /// <summary>The tensor's name, for messages.</summary>
    string Name { get; }

    /// <summary>Copies bytes of the tensor, counted from its first element.</summary>
    /// <exception cref="AdapterFormatException">The file has become shorter than its header says.</exception>
    void Read(long byteOffset, Span<byte> destination);
}
