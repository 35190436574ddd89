namespace Sway.Inference.Cpu;

/// <summary>Some outputs of a matrix, as a matrix.</summary>
/// <param name="whole">The matrix.</param>
/// <param name="first">The first output.</param>
/// <param name="outputs">Number of outputs.</param>
internal sealed unsafe class PanelSlice(PanelSource whole, int first, int outputs) : PanelSource(outputs, whole.Inputs)
{
    /// <inheritdoc/>
    public override int DotOutputs => whole.DotOutputs;

    /// <inheritdoc/>
    public override void Pack(int output, int valid, int columns, int input, int depth, float* destination) =>
        whole.Pack(first + output, valid, columns, input, depth, destination);

    /// <inheritdoc/>
    public override bool TryDot(int output, int input, int depth, float* x, float* sums) => whole.TryDot(first + output, input, depth, x, sums);

    /// <inheritdoc/>
    public override byte* Locate(int output, int input, int depth, out nint bytes) => whole.Locate(first + output, input, depth, out bytes);

    /// <inheritdoc/>
    public override void ReadRow(int output, Span<float> destination) => whole.ReadRow(first + output, destination);
}
