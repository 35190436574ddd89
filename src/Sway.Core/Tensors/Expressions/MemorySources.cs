using System.Runtime.InteropServices;

namespace Sway.Tensors;

/// <summary>Float64 numbers computed when they are first read.</summary>
internal sealed class ComputedSource(string name, Func<double[]> compute) : ITensorSource
{
    private readonly Lazy<double[]> _values = new(compute);

    public string Name => name;

    public void Read(long byteOffset, Span<byte> destination) =>
        MemoryMarshal.AsBytes(_values.Value.AsSpan()).Slice(checked((int)byteOffset), destination.Length).CopyTo(destination);
}

/// <summary>An expression evaluated once into memory, for the few operations that do not distribute over it.</summary>
internal sealed class ExpressionSource(TensorExpression expression) : ITensorSource
{
    private readonly Lazy<byte[]> _bytes = new(expression.ToBytes);

    public string Name => string.Join(" + ", expression.Sources);

    public void Read(long byteOffset, Span<byte> destination) =>
        _bytes.Value.AsSpan(checked((int)byteOffset), destination.Length).CopyTo(destination);
}

/// <summary>An expression evaluated into memory that the collector may take back; it is evaluated again then. For tensors of
/// which many small pieces are read that lie scattered over all of it.</summary>
internal sealed class RecalledSource(TensorExpression expression) : ITensorSource
{
    private readonly WeakReference<byte[]?> _bytes = new(null);

    public string Name => string.Join(" + ", expression.Sources);

    public void Read(long byteOffset, Span<byte> destination)
    {
        if (!_bytes.TryGetTarget(out byte[]? bytes))
        {
            bytes = expression.ToBytes();
            _bytes.SetTarget(bytes);
        }

        bytes.AsSpan(checked((int)byteOffset), destination.Length).CopyTo(destination);
    }
}
