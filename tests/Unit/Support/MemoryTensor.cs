using System.Runtime.InteropServices;
using Sway.Tensors;

namespace Sway.Unit.Support;

/// <summary>Tensors of known numbers for tests.</summary>
internal sealed class MemoryTensor(string name, byte[] bytes) : ITensorSource
{
    public string Name => name;

    public void Read(long byteOffset, Span<byte> destination) =>
        bytes.AsSpan((int)byteOffset, destination.Length).CopyTo(destination);

    public static TensorExpression Of(float[] values, params long[] shape) =>
        new TensorView(new MemoryTensor("t", MemoryMarshal.AsBytes(values.AsSpan()).ToArray()), DType.F32, [.. shape]);

    public static TensorExpression Range(params long[] shape)
    {
        long count = shape.Aggregate(1L, (product, size) => product * size);
        return Of([.. Enumerable.Range(0, (int)count).Select(i => (float)i)], shape);
    }
}
