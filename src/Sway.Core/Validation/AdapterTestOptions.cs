namespace Sway.Validation;

/// <summary>How an adapter is tested.</summary>
public sealed record AdapterTestOptions
{
    /// <summary>The relative difference that float32 rounding of products explains.</summary>
    public const double DefaultTolerance = 1e-6;

    /// <summary>An adapter that must be the same function, of any format; null for none.</summary>
    public string? Reference { get; init; }

    /// <summary>The largest relative difference of a module's delta that still counts as the same.</summary>
    public double Tolerance { get; init; } = DefaultTolerance;

    /// <summary>The base model's folder; null to search for it.</summary>
    public string? BaseModel { get; init; }

    /// <summary>True to use no base model but <see cref="BaseModel"/>.</summary>
    public bool NoBaseLookup { get; init; }

    /// <summary>Which adapter of several in one file or folder.</summary>
    public string? AdapterName { get; init; }
}
