using System.Text.Json;

namespace Sway.Caching;

/// <summary>Where the scores of one folder of the cache come from, for people.</summary>
/// <param name="Model">The model's folder.</param>
/// <param name="Adapter">The adapter's path, or null.</param>
/// <param name="Engine">What computed.</param>
/// <param name="Strength">The adapter's strength.</param>
internal sealed record ScoreOrigin(string Model, string? Adapter, string Engine, double Strength)
{
    /// <summary>The record's file name in a folder of scores.</summary>
    public const string FileName = "origin";

    /// <summary>Reads the record; null when it is absent or damaged.</summary>
    public static ScoreOrigin? Read(string folder)
    {
        if (SealedRecord.Read(Path.Combine(folder, FileName)) is not { } payload)
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(payload.Span, CacheJson.Default.ScoreOrigin);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The record's bytes.</summary>
    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, CacheJson.Default.ScoreOrigin);

    /// <inheritdoc/>
    public override string ToString() => (Adapter, Strength) switch
    {
        (null, _) => $"{Model} ({Engine})",
        (_, 1.0) => $"{Model} + {Adapter} ({Engine})",
        _ => FormattableString.Invariant($"{Model} + {Strength:R} x {Adapter} ({Engine})"),
    };
}
