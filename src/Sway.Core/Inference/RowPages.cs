using Sway.IO;
using Sway.Tensors;

namespace Sway.Inference;

/// <summary>Where the rows of one matrix lie in the mapped files, in one tensor or several side by side (words, scales, biases).</summary>
/// <param name="rows">Number of rows.</param>
/// <param name="tensors">Tensors that hold one slice (an expert) or more of as many rows each, and which slice is meant.</param>
internal sealed unsafe class RowPages(int rows, params (MappedTensor Tensor, int Slice, int Slices)[] tensors)
{
    /// <summary>Bytes of a row.</summary>
    public long RowBytes { get; } = tensors.Sum(part => Bytes(part) / rows);

    /// <summary>Maps some rows' pages at once, before they are read.</summary>
    public void Map(int first, int count)
    {
        foreach (var part in tensors)
        {
            MemoryPages.Map(Row(part, first), count * (Bytes(part) / rows));
        }
    }

    /// <summary>Gives the memory of some rows' pages back until they are next read.</summary>
    public void Forget(int first, int count)
    {
        foreach (var part in tensors)
        {
            MemoryPages.Forget(Row(part, first), count * (Bytes(part) / rows));
        }
    }

    private byte* Row((MappedTensor Tensor, int Slice, int Slices) part, int row) =>
        part.Tensor.Data + (part.Slice * Bytes(part)) + (row * (Bytes(part) / rows));

    private static long Bytes((MappedTensor Tensor, int Slice, int Slices) part) => part.Tensor.Info.ByteLength / part.Slices;
}
