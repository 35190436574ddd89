using Sway.Tensors;

namespace Sway.Inference.Cpu;

/// <summary>
/// An mlx-quantized matrix (affine): row-major words of 32 bits with 4 or 8 bits a value, lowest bits first, and for each group
/// along the inputs a scale and a bias: w = scale * q + bias. The product and the sum are made in float32 with one rounding.
/// </summary>
internal sealed unsafe class QuantizedPanels(
    uint* words, byte* scales, byte* biases, DType dtype, int outputs, int inputs, int bits, int groupSize)
    : PanelSource(outputs, inputs)
{
    private const int Slice = 128;

    /// <inheritdoc/>
    public override void Pack(int output, int valid, int columns, int input, int depth, float* destination)
    {
        var rows = stackalloc float[Slice * 32];
        for (var k = 0; k < depth; k += Slice)
        {
            var count = Math.Min(Slice, depth - k);
            for (var j = 0; j < valid; j++)
            {
                Dequantize(output + j, input + k, new Span<float>(rows + (j * Slice), count));
            }

            PanelTranspose.Run(rows, Slice, valid, columns, count, destination + ((nint)k * columns));
        }
    }

    /// <inheritdoc/>
    public override void ReadRow(int output, Span<float> destination) => Dequantize(output, 0, destination[..Inputs]);

    private void Dequantize(int output, int input, Span<float> destination)
    {
        var perWord = 32 / bits;
        var mask = (1u << bits) - 1;
        var row = words + ((long)output * (Inputs / perWord));
        var group = -1;
        float scale = 0f, bias = 0f;
        for (var i = 0; i < destination.Length; i++)
        {
            var k = input + i;
            if (k / groupSize != group)
            {
                group = k / groupSize;
                var index = ((long)output * (Inputs / groupSize)) + group;
                scale = Read(scales, index);
                bias = Read(biases, index);
            }

            var value = (row[k / perWord] >> (k % perWord * bits)) & mask;
            destination[i] = MathF.FusedMultiplyAdd(scale, value, bias);
        }
    }

    private float Read(byte* data, long index)
    {
        Span<float> one = stackalloc float[1];
        var size = dtype.ByteSize();
        ElementConversion.ToSingle(dtype, new ReadOnlySpan<byte>(data + (index * size), size), one);
        return one[0];
    }
}
