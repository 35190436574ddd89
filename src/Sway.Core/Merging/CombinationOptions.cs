namespace Sway.Merging;

/// <summary>How several adapters become one.</summary>
public enum CombinationMethod
{
    /// <summary>The exact weighted sum of the deltas: factors beside each other, the ranks add up.</summary>
    Cat,

    /// <summary>PEFT's linear: the factors themselves are added, which is not the sum of the deltas.</summary>
    Linear,

    /// <summary>The sum of the deltas, cut to a rank by its singular values.</summary>
    Svd,

    /// <summary>TIES: small elements are dropped, then only those of the elected sign are averaged.</summary>
    Ties,

    /// <summary>Small elements of the factors are dropped, then the factors are added.</summary>
    MagnitudePrune,

    /// <summary>TIES on the deltas themselves, cut to a rank by its singular values.</summary>
    TiesSvd,

    /// <summary>Small elements of the deltas are dropped, then the deltas are added and cut to a rank by their singular values.</summary>
    MagnitudePruneSvd,
}

/// <summary>What a user asks of a combination.</summary>
public sealed record CombinationOptions
{
    /// <summary>How to combine.</summary>
    public CombinationMethod Method { get; init; } = CombinationMethod.Cat;

    /// <summary>The weight of each adapter; empty for 1 each.</summary>
    public IReadOnlyList<double> Weights { get; init; } = [];

    /// <summary>The rank that the methods with singular values keep; null for the largest of the adapters.</summary>
    public int? Rank { get; init; }

    /// <summary>The share of elements that the methods that drop small ones keep; 0 to 1.</summary>
    public double Density { get; init; } = 0.5;

    /// <summary>True to let Ties elect the sign by count in place of by sum.</summary>
    public bool ElectByCount { get; init; }

    /// <summary>The base model's folder; needed to name the modules of mlx-lm adapters.</summary>
    public string? BaseModel { get; init; }

    /// <summary>Alpha, where an adapter's files lack it.</summary>
    public double? Alpha { get; init; }

    /// <summary>True to replace an existing output.</summary>
    public bool Force { get; init; }

    /// <summary>True to check everything that can be known before writing, and write nothing.</summary>
    public bool WhatIf { get; init; }
}
