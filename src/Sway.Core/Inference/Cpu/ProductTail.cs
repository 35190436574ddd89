namespace Sway.Inference.Cpu;

/// <summary>
/// A second pair of factors of a register tile: once an output is finished, its chain of fused multiply-adds goes on from it with these.
/// Nothing where the depth is 0.
/// </summary>
/// <param name="a">(depth, rows of the tile).</param>
/// <param name="b">(depth, columns of the panel).</param>
/// <param name="depth">Number of products.</param>
internal readonly unsafe struct ProductTail(float* a, float* b, int depth)
{
    /// <summary>(depth, rows of the tile).</summary>
    public float* A { get; init; } = a;

    /// <summary>(depth, columns of the panel).</summary>
    public float* B { get; } = b;

    /// <summary>Number of products.</summary>
    public int Depth { get; } = depth;
}
