namespace Sway.Adapters.Mlx.Repair;

/// <summary>What a user asks of a repair.</summary>
public sealed record AdapterRepairOptions
{
    /// <summary>The base model's folder; null to search for it.</summary>
    public string? BaseModel { get; init; }

    /// <summary>The factor on the low-rank product; needed where the files do not record it, and it wins where they do.</summary>
    public double? Scale { get; init; }

    /// <summary>The number of layers to record, in place of the base model's.</summary>
    public int? NumLayers { get; init; }

    /// <summary>True to rewrite tensors of old or foreign layouts, so that mlx-lm of today loads them.</summary>
    public bool UpdateLayout { get; init; }

    /// <summary>True to say what would be done, and write nothing.</summary>
    public bool WhatIf { get; init; }
}

/// <summary>One field of the configuration that a repair sets.</summary>
/// <param name="Name">The field's path, for example <c>lora_parameters.rank</c>.</param>
/// <param name="Before">Its JSON text before; null when it was absent.</param>
/// <param name="After">Its JSON text now; null when it is removed.</param>
/// <param name="Origin">What the new value was taken from.</param>
public sealed record RepairedField(string Name, string? Before, string? After, string Origin);

/// <summary>What a repair did.</summary>
public sealed record AdapterRepairResult
{
    /// <summary>The adapter's folder, absolute. Named so that it binds to other cmdlets' literal paths.</summary>
    public required string FullName { get; init; }

    /// <summary>True when something was (or, with what-if, would be) written.</summary>
    public required bool Changed { get; init; }

    /// <summary>lora, dora or full.</summary>
    public required string Method { get; init; }

    /// <summary>The rank in the configuration.</summary>
    public required int Rank { get; init; }

    /// <summary>The scale in the configuration.</summary>
    public required double Scale { get; init; }

    /// <summary><c>num_layers</c> in the configuration.</summary>
    public required int NumLayers { get; init; }

    /// <summary>The number of adapted modules.</summary>
    public required int ModuleCount { get; init; }

    /// <summary>Every field that changed.</summary>
    public required IReadOnlyList<RepairedField> Fields { get; init; }

    /// <summary>What was done to the tensors; empty when they were not touched.</summary>
    public required IReadOnlyList<string> TensorChanges { get; init; }

    /// <summary>The copies of the files as they were, absolute.</summary>
    public required IReadOnlyList<string> Backups { get; init; }

    /// <summary>Everything that the user should know although the repair stands.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }
}
