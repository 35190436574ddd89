namespace Sway.Conversion;

/// <summary>What a conversion did. The names are those of the cmdlet's output and, in camelCase, of the command's JSON.</summary>
public sealed record AdapterConversionResult
{
    /// <summary>The output folder, absolute. Named so that it binds to other cmdlets' literal paths.</summary>
    public required string FullName { get; init; }

    /// <summary>The source, absolute.</summary>
    public required string Source { get; init; }

    /// <summary>The source's format: Peft, Mlx, Megatron.</summary>
    public required string SourceFormat { get; init; }

    /// <summary>The format that was written: Mlx, Peft.</summary>
    public required string Format { get; init; }

    /// <summary>lora or dora.</summary>
    public required string Method { get; init; }

    /// <summary>The rank that the output's configuration names.</summary>
    public required int Rank { get; init; }

    /// <summary>The scale that the output's configuration names.</summary>
    public required double Scale { get; init; }

    /// <summary>True when ranks or scales differ between modules, so that tensors were padded or multiplied.</summary>
    public required bool Baked { get; init; }

    /// <summary>The element types of the output, for example F32 or BF16.</summary>
    public required IReadOnlyList<string> DTypes { get; init; }

    /// <summary>The <c>keys</c> of the output.</summary>
    public required IReadOnlyList<string> Keys { get; init; }

    /// <summary><c>num_layers</c> of the output.</summary>
    public required int NumLayers { get; init; }

    /// <summary>The distinct last names of the adapted modules, for example q_proj.</summary>
    public required IReadOnlyList<string> TargetModules { get; init; }

    /// <summary>The number of adapted modules in the output.</summary>
    public required int ModuleCount { get; init; }

    /// <summary>Source tensors that are not in the output, each with its reason.</summary>
    public required IReadOnlyList<string> LeftOut { get; init; }

    /// <summary>The categories of loss that were allowed and met.</summary>
    public required IReadOnlyList<string> Losses { get; init; }

    /// <summary>The base model's folder that served, or null.</summary>
    public string? BaseModel { get; init; }

    /// <summary>Where the base model was found: Parameter, AdapterConfig, HuggingFaceCache, None.</summary>
    public required string BaseSource { get; init; }

    /// <summary>The readers that load the output, with the reason where one does not.</summary>
    public required IReadOnlyList<string> LoadsIn { get; init; }

    /// <summary>Everything that the user should know although the result stands.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>Bytes of the source's tensor files.</summary>
    public required long SourceBytes { get; init; }

    /// <summary>Bytes written.</summary>
    public required long WrittenBytes { get; init; }

    /// <summary>Wall time of the conversion.</summary>
    public required double Seconds { get; init; }

    /// <summary>True when the output was in the cache and nothing was converted.</summary>
    public bool FromCache { get; init; }

    /// <summary>The largest relative difference of any module's delta found by verifying; null when not asked for.</summary>
    public double? VerifiedDifference { get; init; }
}
