namespace Sway.Inference.Cpu;

/// <summary>A matrix for products and look-ups.</summary>
internal sealed class CpuMatrix(PanelSource panels) : EngineWeight
{
    /// <summary>The weights.</summary>
    public PanelSource Panels { get; } = panels;
}

/// <summary>A vector in float32.</summary>
internal sealed class CpuVector(float[] values) : EngineWeight
{
    /// <summary>The elements.</summary>
    public float[] Values { get; } = values;
}
