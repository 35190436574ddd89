namespace Sway.Inference.Cpu;

/// <summary>With the register tiles of the other products, of panels or of half panels.</summary>
internal sealed unsafe class NarrowKernelOfPanels : NarrowKernel
{
    /// <inheritdoc/>
    public override long Floats(int outputs, int depth) => (long)Stride(outputs) * depth;

    /// <inheritdoc/>
    public override void Put(float* packed, int outputs, int output, ReadOnlySpan<float> weights)
    {
        var columns = MatrixProduct.ColumnsFor(outputs);
        var to = packed + ((long)(output / columns) * columns * weights.Length) + (output % columns);
        foreach (var weight in weights)
        {
            *to = weight;
            to += columns;
        }
    }

    /// <inheritdoc/>
    public override void Multiply(
        float* a, int height, int depth, float* packed, int outputs, float* results, WantedBytes next, WantedBytes also)
    {
        var (columns, stride) = (MatrixProduct.ColumnsFor(outputs), Stride(outputs));
        var sums = AlignedScratch.Work((long)height * stride);
        var length = MatrixProduct.BlockLength(depth);
        for (var first = 0; first < stride; first += columns)
        {
            var b = packed + ((long)first * depth);
            for (var k = 0; k < depth; k += length)
            {
                var from = a + ((nint)k * height);
                var wanted = first == 0 ? next : first == columns ? also : default;
                var step = wanted.Step(depth);
                GemmKernel.Best.Multiply(
                    columns, height, from, b + ((nint)k * columns), Math.Min(length, depth - k), sums + first, stride, add: k > 0, default,
                    step == 0 ? (byte*)from : wanted.Address + (k * step), step);
            }
        }

        for (var output = 0; output < outputs; output++)
        {
            for (var r = 0; r < height; r++)
            {
                *results++ = sums[(r * stride) + output];
            }
        }
    }

    private static int Stride(int outputs)
    {
        var columns = MatrixProduct.ColumnsFor(outputs);
        return (outputs + columns - 1) / columns * columns;
    }
}
