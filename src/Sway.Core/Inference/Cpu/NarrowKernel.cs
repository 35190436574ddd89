namespace Sway.Inference.Cpu;

/// <summary>
/// Products of a tile of interleaved rows with few columns, such as those of a low-rank term's first factor. Sums are made as
/// <see cref="MatrixProduct"/> makes them, so their bits are the same for every implementation.
/// </summary>
internal abstract unsafe class NarrowKernel
{
    /// <summary>The one for this machine.</summary>
    public static NarrowKernel Best { get; } = GemmKernel.Best is GemmKernel512 ? new NarrowKernel512() : new NarrowKernelOfPanels();

    /// <summary>Floats that packed weights take.</summary>
    /// <param name="outputs">Number of columns.</param>
    /// <param name="depth">Number of inputs.</param>
    public abstract long Floats(int outputs, int depth);

    /// <summary>Packs the weights of an output.</summary>
    /// <param name="packed">Room for <see cref="Floats"/>; zeros where nothing was put.</param>
    /// <param name="outputs">Number of columns in all.</param>
    /// <param name="output">The column.</param>
    /// <param name="weights">One for each input.</param>
    public abstract void Put(float* packed, int outputs, int output, ReadOnlySpan<float> weights);

    /// <summary>Multiplies a tile.</summary>
    /// <param name="a">(depth, height).</param>
    /// <param name="height">Interleaved rows of the tile.</param>
    /// <param name="depth">Number of inputs.</param>
    /// <param name="packed">The weights.</param>
    /// <param name="outputs">Number of columns.</param>
    /// <param name="results">(outputs, height).</param>
    /// <param name="next">What is wanted next, of which each step of the inputs asks for a part.</param>
    /// <param name="also">The same.</param>
    public abstract void Multiply(
        float* a, int height, int depth, float* packed, int outputs, float* results, WantedBytes next, WantedBytes also);
}
