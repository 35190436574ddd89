using System.Globalization;
using System.Text.Json;

namespace Sway.Adapters;

/// <summary>How an adapter is opened.</summary>
public sealed record AdapterOpenOptions
{
    /// <summary>Which adapter of several in one file or folder; null when there is one.</summary>
    public string? AdapterName { get; init; }

    /// <summary>Alpha, where the files lack it (Megatron).</summary>
    public double? Alpha { get; init; }

    /// <summary>The base model's folder, for formats that need its configuration to be read (Megatron).</summary>
    public string? BaseModel { get; init; }

    /// <summary>True to use no base model but <see cref="BaseModel"/>.</summary>
    public bool NoBaseLookup { get; init; }
}

/// <summary>Opens adapters of any format that Sway reads, by what the files hold.</summary>
public static class AdapterReader
{
    /// <summary>Reads headers and configuration, no weights.</summary>
    /// <param name="path">A folder, or a weights file in it.</param>
    /// <param name="options">Choices; null for none.</param>
    /// <exception cref="ConversionRefusedException">The path holds no single adapter that can be read.</exception>
    /// <exception cref="AdapterFormatException">A file is damaged.</exception>
    public static LoraAdapter Open(string path, AdapterOpenOptions? options = null) =>
        Megatron.MegatronCheckpoint.IsCheckpoint(path)
            ? Megatron.MegatronAdapterReader.Open(path, options)
            : CheckAlpha(OpenLocation(AdapterLocation.Find(path, options?.AdapterName), options ?? new AdapterOpenOptions()), options?.Alpha);

    /// <summary>Alpha fills what the files lack. Beside a recorded one that differs it is a mistake, of which nobody would learn.</summary>
    private static LoraAdapter CheckAlpha(LoraAdapter adapter, double? alpha)
    {
        if (alpha is not { } given || Recorded(adapter) is not { } recorded || Math.Abs(recorded - given) <= 1e-9 * Math.Abs(recorded))
        {
            return adapter;
        }

        adapter.Dispose();
        throw new ConversionRefusedException(adapter.Path, [new Refusal(
            RefusalCategory.BadConfig, string.Create(CultureInfo.InvariantCulture, $"The adapter records what alpha {recorded} gives, not {given}."))
        {
            Remedy = "Leave the alpha out.",
        }]);
    }

    private static double? Recorded(LoraAdapter adapter) => adapter.Format switch
    {
        // PEFT's default is 8.
        AdapterFormat.Peft => adapter.Config.TryGetProperty("lora_alpha", out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : 8,
        _ => adapter.Modules is [var module, ..] ? module.Scaling * module.Rank : null,
    };

    private static LoraAdapter OpenLocation(AdapterLocation location, AdapterOpenOptions options) => location.Format switch
    {
        AdapterFormat.Peft => Peft.PeftAdapterReader.Open(location, options),
        AdapterFormat.Mlx when options.AdapterName is { } name && !location.IsNamed(name) => throw new ConversionRefusedException(
            location.Folder, [new Refusal(RefusalCategory.AmbiguousAdapterName, $"There is no adapter {name} here, only one without a name.") { Remedy = "Leave -AdapterName (--adapter-name) out, or name another folder." }]),
        AdapterFormat.Mlx => Mlx.MlxAdapterReader.Open(location.WeightsPath, options),
        _ => throw new ConversionRefusedException(
            location.Folder, [new Refusal(RefusalCategory.Megatron, "Adapters of Megatron are not read from here.")]),
    };
}
