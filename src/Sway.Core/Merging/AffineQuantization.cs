using System.Runtime.InteropServices;
using Sway.Tensors;

namespace Sway.Merging;

/// <summary>
/// mlx's affine quantization: each group of weights is <c>scale * code + bias</c>, the codes packed into 32-bit words from
/// the lowest bit (mlx/ops.cpp, quantize; the codes of 2, 4 and 8 bits fill words evenly).
/// </summary>
/// <param name="Bits">Bits of one code: 2, 4 or 8.</param>
/// <param name="GroupSize">Weights that share a scale.</param>
internal sealed record AffineQuantization(int Bits, int GroupSize)
{
    /// <summary>Rows of a quantized weight.</summary>
    public IWeightRows Rows(TensorExpression words, TensorExpression scales, TensorExpression biases) => new QuantizedRows(this, words, scales, biases);

    /// <summary>Quantizes one row.</summary>
    public void Quantize(ReadOnlySpan<float> row, Span<uint> words, Span<float> scales, Span<float> biases)
    {
        float levels = (1 << Bits) - 1;
        int perWord = 32 / Bits;
        words.Clear();
        for (int group = 0; group < scales.Length; group++)
        {
            ReadOnlySpan<float> weights = row.Slice(group * GroupSize, GroupSize);
            (float scale, float bias) = Fit(weights, levels);
            for (int i = 0; i < weights.Length; i++)
            {
                float code = MathF.Min(MathF.Max(MathF.Round((weights[i] - bias) / scale), 0), levels);
                int at = (group * GroupSize) + i;
                words[at / perWord] |= (uint)code << (at % perWord * Bits);
            }

            scales[group] = scale;
            biases[group] = bias;
        }
    }

    // The edge of the range that is larger in size is hit exactly.
    private static (float Scale, float Bias) Fit(ReadOnlySpan<float> weights, float levels)
    {
        float low = float.PositiveInfinity, high = float.NegativeInfinity;
        foreach (float weight in weights)
        {
            low = MathF.Min(low, weight);
            high = MathF.Max(high, weight);
        }

        bool negative = MathF.Abs(low) > MathF.Abs(high);
        float scale = MathF.Max((high - low) / levels, 1e-7f);
        scale = negative ? scale : -scale;
        float edge = negative ? low : high;
        float steps = MathF.Round(edge / scale);
        return steps != 0 ? (edge / steps, edge) : (scale, 0);
    }

    private sealed class QuantizedRows(AffineQuantization format, TensorExpression words, TensorExpression scales, TensorExpression biases) : IWeightRows
    {
        private readonly StoredRows _scales = new(scales);
        private readonly StoredRows _biases = new(biases);
        private readonly float[] _rowScales = new float[scales.Shape[^1]];
        private readonly float[] _rowBiases = new float[biases.Shape[^1]];
        private readonly int _wordCount = checked((int)words.Shape[^1]);
        private readonly byte[] _bytes = new byte[checked((int)words.Shape[^1] * sizeof(uint))];
        private readonly RowPlace _place = new(words.Shape);

        public long Rows => words.ElementCount / _wordCount;

        public int Columns => _wordCount * 32 / format.Bits;

        public DType DType => scales.DType;

        public void Read(long row, Span<float> destination)
        {
            _scales.Read(row, _rowScales);
            _biases.Read(row, _rowBiases);
            words.Read(_place.StartOf(row), _place.Count, _bytes);
            ReadOnlySpan<uint> packed = MemoryMarshal.Cast<byte, uint>(_bytes);
            int perWord = 32 / format.Bits;
            uint mask = (1u << format.Bits) - 1;
            for (int i = 0; i < destination.Length; i++)
            {
                uint code = (packed[i / perWord] >> (i % perWord * format.Bits)) & mask;
                int group = i / format.GroupSize;
                destination[i] = Rounded.To(DType, Rounded.To(DType, _rowScales[group] * code) + _rowBiases[group]);
            }
        }
    }
}
