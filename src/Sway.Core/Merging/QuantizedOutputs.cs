using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Sway.Tensors;

namespace Sway.Merging;

/// <summary>Which of the three tensors of a quantized weight.</summary>
internal enum QuantizedPart
{
    Words,
    Scales,
    Biases,
}

/// <summary>A merged weight quantized again, row by row.</summary>
internal sealed class QuantizedOutput(MergedWeight merged, int columns, AffineQuantization format, QuantizedPart part, DType scaleType) : ITensorSource
{
    public string Name => merged.Name;

    /// <summary>One of the three tensors, of the shape that the base has.</summary>
    public static TensorExpression Create(MergedWeight merged, int columns, AffineQuantization format, QuantizedPart part, TensorExpression like, DType scaleType) =>
        new TensorView(new QuantizedOutput(merged, columns, format, part, scaleType), like.DType, ImmutableArray.Create(like.Shape.AsSpan()));

    public void Read(long byteOffset, Span<byte> destination)
    {
        float[] row = new float[columns];
        uint[] words = new uint[columns * format.Bits / 32];
        float[] scales = new float[columns / format.GroupSize];
        float[] biases = new float[scales.Length];
        byte[] bytes = part == QuantizedPart.Words ? new byte[words.Length * sizeof(uint)] : new byte[scales.Length * scaleType.ByteSize()];
        while (!destination.IsEmpty)
        {
            long index = byteOffset / bytes.Length;
            int within = (int)(byteOffset - (index * bytes.Length));
            merged.Row(index, row);
            format.Quantize(row, words, scales, biases);
            switch (part)
            {
                case QuantizedPart.Words:
                    MemoryMarshal.AsBytes(words.AsSpan()).CopyTo(bytes);
                    break;
                default:
                    float[] values = part == QuantizedPart.Scales ? scales : biases;
                    ElementConversion.FromDouble(scaleType, Array.ConvertAll(values, value => (double)value), bytes);
                    break;
            }

            int count = Math.Min(bytes.Length - within, destination.Length);
            bytes.AsSpan(within, count).CopyTo(destination);
            destination = destination[count..];
            byteOffset += count;
        }
    }
}
