using System.Runtime.CompilerServices;
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
    /// <inheritdoc/>
    public override void Pack(int output, int valid, int columns, int input, int depth, float* destination)
    {
        // Blocks of inputs begin and end at groups: both are multiples of the group size.
        var groups = depth / groupSize;
        var factors = stackalloc float[2 * groups * columns];
        var offsets = factors + (groups * columns);
        ReadColumns(scales, output, valid, columns, input / groupSize, groups, factors);
        ReadColumns(biases, output, valid, columns, input / groupSize, groups, offsets);

        var stride = (nint)Inputs * bits / 8;
        var source = (byte*)words + (output * stride) + ((long)input * bits / 8);
        if (bits == 4)
        {
            WordPanel.FillScaled<FourBitWords>(source, stride, valid, columns, depth, factors, offsets, groupSize, destination);
        }
        else
        {
            WordPanel.FillScaled<EightBitWords>(source, stride, valid, columns, depth, factors, offsets, groupSize, destination);
        }
    }

    /// <inheritdoc/>
    public override byte* Locate(int output, int input, int depth, out nint bytes)
    {
        bytes = (nint)depth * bits / 8;
        return (byte*)words + ((((long)output * Inputs) + input) * bits / 8);
    }

    /// <inheritdoc/>
    public override int DotOutputs => QuantizedDot.Outputs;

    /// <inheritdoc/>
    public override bool TryDot(int output, int input, int depth, float* x, float* sums)
    {
        if (depth * bits / 32 < WordTranspose.Side)
        {
            return false;
        }

        switch (dtype)
        {
            case DType.F32:
                Dot<SingleWords>(output, input, depth, x, sums);
                break;
            case DType.BF16:
                Dot<BFloat16Words>(output, input, depth, x, sums);
                break;
            default:
                Dot<HalfWords>(output, input, depth, x, sums);
                break;
        }

        return true;
    }

    /// <inheritdoc/>
    public override void ReadRow(int output, Span<float> destination)
    {
        var perWord = 32 / bits;
        var mask = (1u << bits) - 1;
        var row = words + ((long)output * (Inputs / perWord));
        for (var group = 0; group < Inputs / groupSize; group++)
        {
            var index = ((long)output * (Inputs / groupSize)) + group;
            var (scale, bias) = (Read(scales, index), Read(biases, index));
            for (var k = group * groupSize; k < (group + 1) * groupSize; k++)
            {
                destination[k] = MathF.FusedMultiplyAdd(scale, (row[k / perWord] >> (k % perWord * bits)) & mask, bias);
            }
        }
    }

    private void Dot<TScale>(int output, int input, int depth, float* x, float* sums)
        where TScale : struct, IWordFormat
    {
        var stride = (nint)Inputs * bits / 8;
        var factorStride = (nint)(Inputs / groupSize) * dtype.ByteSize();
        var first = (output * factorStride) + (input / groupSize * dtype.ByteSize());
        var ownScales = scales + first;
        var ownBiases = biases + first;

        // Then come the next inputs of these outputs, or the first ones of the next outputs.
        var last = input + depth == Inputs;
        var nextFactors = last ? (QuantizedDot.Outputs * factorStride) - (input / groupSize * dtype.ByteSize()) : depth / groupSize * dtype.ByteSize();

        // Whole squares are read of scales; behind the last ones is nothing, so they are copied to where there is.
        var read = ((QuantizedDot.Outputs - 1) * factorStride) + QuantizedDot.FactorBytes<TScale>(depth / groupSize);
        var left = (Outputs * factorStride) - first;
        if (read > left)
        {
            var floats = (read + sizeof(float) - 1) / sizeof(float);
            var copy = AlignedScratch.Panel(2 * floats);
            Buffer.MemoryCopy(ownScales, copy, read, left);
            Buffer.MemoryCopy(ownBiases, copy + floats, read, left);
            ownScales = (byte*)copy;
            ownBiases = (byte*)(copy + floats);
        }

        var rows = new QuantizedRows
        {
            Words = (byte*)words + (output * stride) + ((long)input * bits / 8),
            Stride = stride,
            Scales = ownScales,
            Biases = ownBiases,
            FactorStride = factorStride,
            Group = groupSize,
            NextWords = last ? (QuantizedDot.Outputs * stride) - ((nint)input * bits / 8) : (nint)depth * bits / 8,
            NextFactors = nextFactors,
        };
        if (bits == 4)
        {
            QuantizedDot.Run<FourBitWords, TScale>(rows, depth, x, sums);
        }
        else
        {
            QuantizedDot.Run<EightBitWords, TScale>(rows, depth, x, sums);
        }
    }

    // destination[g, j] = the number of group first + g of output j; zeros for outputs that are not there.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ReadColumns(byte* data, int output, int valid, int columns, int first, int groups, float* destination)
    {
        if (valid < columns)
        {
            new Span<float>(destination, groups * columns).Clear();
        }

        long stride = Inputs / groupSize;
        var at = (output * stride) + first;
        for (var j = 0; j < valid; j++, at += stride)
        {
            for (var g = 0; g < groups; g++)
            {
                destination[(g * columns) + j] = dtype switch
                {
                    DType.BF16 => BitConverter.UInt32BitsToSingle((uint)((ushort*)data)[at + g] << 16),
                    DType.F32 => ((float*)data)[at + g],
                    _ => (float)((Half*)data)[at + g],
                };
            }
        }
    }

    private float Read(byte* data, long index) => dtype switch
    {
        DType.F32 => ((float*)data)[index],
        DType.BF16 => BitConverter.UInt32BitsToSingle((uint)((ushort*)data)[index] << 16),
        _ => (float)((Half*)data)[index],
    };
}
