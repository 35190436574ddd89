namespace Sway.Inference.Cpu;

/// <summary>A matrix for products and look-ups.</summary>
/// <param name="panels">The weights.</param>
/// <param name="pages">Where its rows lie in mapped files, or null where they do not or should stay in memory.</param>
internal sealed class CpuMatrix(PanelSource panels, RowPages? pages = null) : EngineWeight
{
    /// <summary>The pages of the rows, or null.</summary>
    public RowPages? Pages { get; } = pages;

    /// <summary>The weights.</summary>
    public PanelSource Panels { get; } = panels;
}

/// <summary>A vector in float32.</summary>
internal sealed class CpuVector(float[] values) : EngineWeight
{
    /// <summary>The elements.</summary>
    public float[] Values { get; } = values;
}
