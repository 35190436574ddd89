using System.Collections.Immutable;
using Sway.Adapters;

namespace Sway.Conversion;

/// <summary>The formats that Sway writes.</summary>
public enum ConversionTarget
{
    /// <summary>mlx-lm's <c>adapters.safetensors</c> and <c>adapter_config.json</c>.</summary>
    Mlx,

    /// <summary>PEFT's <c>adapter_model.safetensors</c> and <c>adapter_config.json</c>.</summary>
    Peft,
}

/// <summary>How the <c>keys</c> of an mlx-lm adapter are written.</summary>
public enum KeyStyle
{
    /// <summary>Relative names where they are exact and the layer count is known, so that mlx-swift-lm loads the adapter too;
    /// absolute names otherwise.</summary>
    Auto,

    /// <summary>Absolute module paths: mlx-lm only.</summary>
    Absolute,

    /// <summary>Names relative to a layer; refused when they would not be exact.</summary>
    Relative,
}

/// <summary>What a user asks of a conversion.</summary>
public sealed record ConversionOptions
{
    /// <summary>The format to write.</summary>
    public ConversionTarget Target { get; init; } = ConversionTarget.Mlx;

    /// <summary>The base model's folder; null to search for it.</summary>
    public string? BaseModel { get; init; }

    /// <summary>True to use no base model but <see cref="BaseModel"/>.</summary>
    public bool NoBaseLookup { get; init; }

    /// <summary>True to refuse where an assumption would otherwise be made under a warning.</summary>
    public bool Strict { get; init; }

    /// <summary>Which adapter of several in one file or folder.</summary>
    public string? AdapterName { get; init; }

    /// <summary>The folder of the adapter at initialisation (PiSSA, OLoRA, CorDA, LoRA-GA).</summary>
    public string? InitialAdapter { get; init; }

    /// <summary>Alpha, where the source lacks it.</summary>
    public double? Alpha { get; init; }

    /// <summary>How keys are written.</summary>
    public KeyStyle KeyStyle { get; init; }

    /// <summary>4 or 5: how PEFT output writes experts.</summary>
    public int TransformersVersion { get; init; } = 5;

    /// <summary>The base model's name to record, in place of the source's.</summary>
    public string? BaseName { get; init; }

    /// <summary>Kinds of content that may be dropped.</summary>
    public ImmutableHashSet<RefusalCategory> AllowLoss { get; init; } = [];

    /// <summary>True to replace an existing output.</summary>
    public bool Force { get; init; }

    /// <summary>True to read the output back and compare every module's delta with the source's.</summary>
    public bool Verify { get; init; }
}
