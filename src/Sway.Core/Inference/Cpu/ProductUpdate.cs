namespace Sway.Inference.Cpu;

/// <summary>Neighbouring rows.</summary>
/// <param name="First">The first.</param>
/// <param name="Count">Their number.</param>
internal readonly record struct RowRange(int First, int Count)
{
    /// <summary>One past the last.</summary>
    public int End => First + Count;
}

/// <summary>A product with few inputs that is added to some rows and columns of another one: the second factor of a low-rank term.</summary>
/// <param name="Rows">The rows of the first factor's result from tile <paramref name="FirstTile"/> of the other product on, in the same tiles.</param>
/// <param name="FirstTile">The first of these tiles.</param>
/// <param name="Range">The rows to add to; others that share a tile with them are left alone.</param>
/// <param name="Weights">(outputs, rank).</param>
/// <param name="FirstOutput">The column that output 0 is added to, a multiple of the kernel's columns.</param>
internal sealed record ProductUpdate(PackedRows Rows, int FirstTile, RowRange Range, PanelSource Weights, int FirstOutput);
