namespace Sway.Merging;

/// <summary>What a user asks of a merge into a base model.</summary>
public sealed record MergeOptions
{
    /// <summary>The base model's folder; null to search for it.</summary>
    public string? BaseModel { get; init; }

    /// <summary>True to write a quantized base in full precision; it is quantized again otherwise, which moves its outputs.</summary>
    public bool Dequantize { get; init; }

    /// <summary>True to round the delta to the weight's type before adding, as PEFT's <c>safe_merge</c> does.</summary>
    public bool SafeMerge { get; init; }

    /// <summary>Which adapter of several in one file or folder.</summary>
    public string? AdapterName { get; init; }

    /// <summary>Alpha, where the source lacks it.</summary>
    public double? Alpha { get; init; }

    /// <summary>True to replace an existing output.</summary>
    public bool Force { get; init; }

    /// <summary>True to check everything that can be known before writing, and write nothing.</summary>
    public bool WhatIf { get; init; }
}

/// <summary>What a merge did.</summary>
public sealed record AdapterMergeResult
{
    /// <summary>The output folder, absolute. Named so that it binds to other cmdlets' literal paths.</summary>
    public required string FullName { get; init; }

    /// <summary>The adapters, absolute.</summary>
    public required IReadOnlyList<string> Sources { get; init; }

    /// <summary>The base model's folder, or null when adapters were combined.</summary>
    public string? BaseModel { get; init; }

    /// <summary>Model, or how adapters were combined: Linear, Cat, Svd, Ties, MagnitudePrune.</summary>
    public required string Method { get; init; }

    /// <summary>The number of modules that changed (of the base) or that the combined adapter has.</summary>
    public required int ModuleCount { get; init; }

    /// <summary>The number of tensors that changed, or were written.</summary>
    public required int TensorCount { get; init; }

    /// <summary>The largest rank of a combined adapter; null for a model.</summary>
    public int? Rank { get; init; }

    /// <summary>Everything that the user should know although the result stands.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>Bytes written.</summary>
    public required long WrittenBytes { get; init; }
}
