namespace Sway.Adapters;

/// <summary>What an adapter is, read from headers and configuration alone.</summary>
public sealed record LoraAdapterInfo
{
    /// <summary>The adapter's folder or file, absolute. Named so that it binds to other cmdlets' literal paths.</summary>
    public required string FullName { get; init; }

    /// <summary>The folder's name.</summary>
    public required string Name { get; init; }

    /// <summary>Peft, Mlx, Megatron.</summary>
    public required string Format { get; init; }

    /// <summary>The method: LoRA, rsLoRA, DoRA, AdaLoRA, LoHa, full, or the library's own name of it.</summary>
    public required string Method { get; init; }

    /// <summary>The base model as recorded.</summary>
    public string? BaseModel { get; init; }

    /// <summary>The distinct ranks, ascending.</summary>
    public required IReadOnlyList<int> Ranks { get; init; }

    /// <summary>The distinct scalings, ascending.</summary>
    public required IReadOnlyList<double> Scalings { get; init; }

    /// <summary>The number of adapted modules.</summary>
    public required int ModuleCount { get; init; }

    /// <summary>The number of transformer layers with an adapted module.</summary>
    public required int LayerCount { get; init; }

    /// <summary>The distinct last names of the adapted modules.</summary>
    public required IReadOnlyList<string> TargetModules { get; init; }

    /// <summary>The number of trained parameters (elements of factors and magnitudes).</summary>
    public required long Parameters { get; init; }

    /// <summary>The distinct element types.</summary>
    public required IReadOnlyList<string> DTypes { get; init; }

    /// <summary>The size of the tensor files in bytes.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>What stands against using the adapter, each with its category; empty when nothing was found.</summary>
    public required IReadOnlyList<string> Problems { get; init; }

    /// <summary>Every module, when asked for; else empty.</summary>
    public IReadOnlyList<LoraModuleInfo> Modules { get; init; } = [];
}

/// <summary>One adapted module, as <c>-Detailed</c> lists it.</summary>
public sealed record LoraModuleInfo
{
    /// <summary>The module's path.</summary>
    public required string Path { get; init; }

    /// <summary>Linear, Embedding or Experts.</summary>
    public required string Kind { get; init; }

    /// <summary>The rank.</summary>
    public required int Rank { get; init; }

    /// <summary>The factor on B @ A.</summary>
    public required double Scaling { get; init; }

    /// <summary>Input size (vocabulary for an embedding).</summary>
    public required long InputSize { get; init; }

    /// <summary>Output size (width for an embedding).</summary>
    public required long OutputSize { get; init; }

    /// <summary>The number of experts, 0 when there are none.</summary>
    public required long Experts { get; init; }

    /// <summary>The element type of the first factor.</summary>
    public required string DType { get; init; }

    /// <summary>True with a DoRA magnitude.</summary>
    public required bool IsDora { get; init; }

    /// <summary>Frobenius norm of the scaled delta, when norms were asked for (reads weights); else null.</summary>
    public double? DeltaNorm { get; init; }
}
