namespace Sway.Inference;

/// <summary>Engines that can be asked for.</summary>
public enum BackendChoice
{
    /// <summary>MLX on Apple silicon when its library loads, else the managed engine.</summary>
    Auto,

    /// <summary>The managed engine.</summary>
    Cpu,

    /// <summary>MLX, or an error.</summary>
    Mlx,
}

/// <summary>Arithmetic that can be asked for.</summary>
public enum PrecisionChoice
{
    /// <summary>float32, whatever the weights' type.</summary>
    Float32,

    /// <summary>The weights' own type: faster on MLX, and single tokens move by some tenths of a nat.</summary>
    Native,
}
