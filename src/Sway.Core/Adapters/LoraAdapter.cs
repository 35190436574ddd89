using System.Text.Json;
using Sway.IO;
using Sway.Tensors;

namespace Sway.Adapters;

/// <summary>The file formats that hold adapters.</summary>
public enum AdapterFormat
{
    Peft,
    Mlx,
    Megatron,
}

/// <summary>A tensor of the files that is not part of a low-rank delta: full weights, biases, buffers.</summary>
/// <param name="Name">The tensor's name in the file.</param>
/// <param name="Path">The module path it belongs to, without prefixes.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Value">Its elements.</param>
public sealed record AdapterExtra(string Name, string Path, AdapterExtraKind Kind, TensorExpression Value);

/// <summary>What a tensor beside the low-rank factors is.</summary>
public enum AdapterExtraKind
{
    /// <summary>A tensor that no rule explains.</summary>
    Unknown,

    /// <summary>A whole weight that replaces the base's (modules_to_save, resized embeddings).</summary>
    FullWeight,

    /// <summary>The frozen copy of a base weight that PEFT stores beside a targeted embedding or head.</summary>
    BaseLayerCopy,

    /// <summary>A bias of the base that was trained.</summary>
    BaseBias,

    /// <summary>A constant added by the adapter's second factor (lora_bias).</summary>
    LoraBias,

    /// <summary>Replacement rows for some token ids.</summary>
    TokenRows,

    /// <summary>A buffer that only training uses.</summary>
    TrainingBuffer,
}

/// <summary>
/// An adapter in neutral form: readers turn each layout into this, writers and engines start from it. Holds open files;
/// tensors are read only when an expression is evaluated.
/// </summary>
public sealed class LoraAdapter : IDisposable
{
    private readonly IReadOnlyList<IDisposable> _owned;
    private ConfigElement? _config;

    /// <summary>Joins the parts; the adapter owns <paramref name="owned"/> and closes them when it is disposed.</summary>
    public LoraAdapter(IReadOnlyList<IDisposable> owned)
    {
        _owned = owned;
    }

    /// <summary>The adapter's folder (or file), as an absolute path.</summary>
    public required string Path { get; init; }

    /// <summary>The format of the files.</summary>
    public required AdapterFormat Format { get; init; }

    /// <summary>The method as its own library names it: LORA, ADALORA, LOHA, lora, dora, full.</summary>
    public required string Method { get; init; }

    /// <summary>The low-rank deltas, in the order of the files.</summary>
    public required IReadOnlyList<LoraModule> Modules { get; init; }

    /// <summary>Everything else that the files hold.</summary>
    public required IReadOnlyList<AdapterExtra> Extras { get; init; }

    /// <summary>What the reader found that stands against a faithful use of the deltas.</summary>
    public required IReadOnlyList<Refusal> Obstacles { get; init; }

    /// <summary>Surprises that do not change numbers.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>The base model's name or path as the adapter records it.</summary>
    public string? BaseModelName { get; init; }

    /// <summary>True when modules carry DoRA magnitudes.</summary>
    public bool IsDora { get; init; }

    /// <summary>The training dropout, for the output's configuration; it changes no number.</summary>
    public double Dropout { get; init; }

    /// <summary>The configuration file as it stands (an object); undefined when the format has none.</summary>
    public JsonElement Config
    {
        get => (_config ??= new ConfigElement(Settings?.ToElement() ?? default)).Value;
        init => _config = new ConfigElement(value);
    }

    /// <summary>The configuration as its reader read it, where that was not the library's: <see cref="Config"/> is made of it when asked for.</summary>
    internal JsonTree? Settings { get; init; }

    /// <summary>The files that hold tensors, with their headers' content.</summary>
    public required IReadOnlyList<TensorFile> Files { get; init; }

    /// <summary>The size of all files that were read, in bytes.</summary>
    public long FileLength
    {
        get
        {
            long length = 0;
            foreach (TensorFile file in Files)
            {
                length += file.FileLength;
            }

            return length;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IDisposable item in _owned)
        {
            item.Dispose();
        }
    }

    // A class, so that an adapter whose configuration nobody asks for does not load the library.
    private sealed record ConfigElement(JsonElement Value);
}
