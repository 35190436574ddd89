namespace Sway.Adapters.Mlx;

/// <summary>The factor on the low-rank product, and where it was found.</summary>
/// <param name="Value">The factor; null when the files do not determine it.</param>
/// <param name="Origin">The recorded fields it was taken from, or why there is none.</param>
/// <param name="Doubt">What speaks against it although it is used; null when nothing does.</param>
public sealed record MlxScale(double? Value, string Origin, string? Doubt = null)
{
    /// <summary>
    /// Determines the factor from what is recorded. mlx-lm multiplied by <c>scale * alpha / rank</c> before June 2024 and by
    /// <c>scale</c> alone since; it renamed <c>lora_layers</c> to <c>num_layers</c> and began to write
    /// <c>fine_tune_type</c> in October 2024, so these names tell the eras apart.
    /// </summary>
    /// <param name="config">The adapter's configuration.</param>
    /// <param name="ranks">The distinct ranks of the tensors.</param>
    public static MlxScale Find(MlxAdapterConfig config, IReadOnlyList<int> ranks) =>
        Recorded(config, ranks) is var scale && scale.Value is null or (<= double.MaxValue and >= double.MinValue)
            ? scale
            : new MlxScale(null, $"{scale.Origin} is not finite");

    private static MlxScale Recorded(MlxAdapterConfig config, IReadOnlyList<int> ranks)
    {
        if (config.Scale is { } scale)
        {
            return config.Alpha is { } alpha ? WithAlpha(config, ranks, scale, alpha) : WithMirror(config, scale);
        }

        if (config.Mirrors.Scale is { } mirror)
        {
            return new MlxScale(mirror, "top-level scale");
        }

        if (config.PeftScale is { } peft)
        {
            return new MlxScale(peft, "lora_alpha / r", "The scale is taken from PEFT's fields lora_alpha and r; mlx-lm itself recorded none.");
        }

        return new MlxScale(null, config.Alpha is null
            ? "no scale is recorded"
            : "only alpha is recorded, which does not determine the scale");
    }

    private static MlxScale WithMirror(MlxAdapterConfig config, double scale) => new(
        scale,
        "lora_parameters.scale",
        config.Mirrors.Scale is { } mirror && mirror != scale
            ? FormattableString.Invariant($"The top-level scale {mirror} differs from lora_parameters.scale {scale}, which mlx-lm reads and which is used.")
            : null);

    private static MlxScale WithAlpha(MlxAdapterConfig config, IReadOnlyList<int> ranks, double scale, double alpha)
    {
        if (config.FineTuneType is not null || (ranks is [var same] && alpha == same))
        {
            return WithMirror(config, scale);
        }

        if (config.LoraLayers is not null && config.NumLayers is null && ranks is [var rank])
        {
            return new MlxScale(
                scale * alpha / rank,
                "scale * alpha / rank of lora_parameters",
                FormattableString.Invariant(
                    $"The configuration is of mlx-lm before October 2024 (lora_layers); the factor is taken as scale * alpha / rank = {scale * alpha / rank}, as until June 2024. Trained after that, it is the scale {scale} itself: say so with sway repair --scale."));
        }

        return new MlxScale(null, "lora_parameters has a scale and an alpha, and nothing tells whether alpha was applied in training");
    }
}
