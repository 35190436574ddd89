namespace Sway.Adapters.Mlx;

/// <summary>
/// Which modules a configuration reaches, as <c>linear_to_lora_layers</c> of mlx-lm decides: keys name modules relative to
/// a layer (within the last <c>num_layers</c>) or absolutely; without keys every linear module of these layers is meant.
/// </summary>
/// <param name="Keys">The keys; null when the configuration has none.</param>
/// <param name="NumLayers">The number of adapted layers, 0 or less for all; null when it is not recorded.</param>
/// <param name="LayerCount">The number of layers of the base model; null when it is not known.</param>
internal sealed record MlxKeys(IReadOnlyList<string>? Keys, int? NumLayers, int? LayerCount)
{
    public static MlxKeys Of(MlxAdapterConfig config, int? layerCount = null) =>
        new(config.Keys, config.NumLayers ?? config.LoraLayers, layerCount);

    /// <summary>True unless the module is certainly not reached.</summary>
    public bool Reaches(string path)
    {
        if (Keys is not null && Keys.Contains(path, StringComparer.Ordinal))
        {
            return true;
        }

        return MlxModuleNames.InLayer(path) is { } place
            && (Keys is null || Keys.Contains(place.Name, StringComparer.Ordinal))
            && IsAdapted(place.Layer);
    }

    private bool IsAdapted(int layer) =>
        NumLayers is not > 0 || LayerCount is not { } count || layer >= count - NumLayers.Value;
}
