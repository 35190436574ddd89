namespace Sway.Merging;

/// <summary>What a user asks of a comparison.</summary>
public sealed record ComparisonOptions
{
    /// <summary>The base model's folder; null to search for it.</summary>
    public string? BaseModel { get; init; }

    /// <summary>True to use no base model but <see cref="BaseModel"/>.</summary>
    public bool NoBaseLookup { get; init; }

    /// <summary>Alpha, where an adapter's files lack it.</summary>
    public double? Alpha { get; init; }
}

/// <summary>How two adapters compare.</summary>
public sealed record AdapterComparison
{
    /// <summary>One entry for each module that either adapter has, the first one's first.</summary>
    public required IReadOnlyList<LoraAdapterComparison> Modules { get; init; }

    /// <summary>The base model's folder that served, or null.</summary>
    public string? BaseModel { get; init; }

    /// <summary>What was assumed, and what is in the files beside the compared deltas.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }
}

/// <summary>How the deltas of two adapters on one module compare.</summary>
public sealed record LoraAdapterComparison
{
    /// <summary>The first adapter, absolute.</summary>
    public required string First { get; init; }

    /// <summary>The second adapter, absolute.</summary>
    public required string Second { get; init; }

    /// <summary>The module.</summary>
    public required string Module { get; init; }

    /// <summary>Both, First or Second: which adapter has the module.</summary>
    public required string In { get; init; }

    /// <summary>The Frobenius norm of the first delta, scaling included.</summary>
    public double FirstNorm { get; init; }

    /// <summary>The Frobenius norm of the second delta.</summary>
    public double SecondNorm { get; init; }

    /// <summary>The cosine of the angle between the deltas, as vectors of all elements; null when one is zero or absent.</summary>
    public double? Cosine { get; init; }

    /// <summary>The norm of the difference, relative to the larger of the two; 0 for equal deltas.</summary>
    public double RelativeDifference { get; init; }

    /// <summary>The effective rank of the first delta: the exponential of the entropy of its normalised singular values
    /// (Roy and Vetterli 2007), of several experts the mean; null where it is no product of low rank (DoRA).</summary>
    public double? FirstEffectiveRank { get; init; }

    /// <summary>The effective rank of the second delta.</summary>
    public double? SecondEffectiveRank { get; init; }
}
