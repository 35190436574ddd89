using System.Text.Json.Serialization;

namespace Sway.Caching;

/// <summary>What an entry of the cache holds.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CacheEntryKind>))]
public enum CacheEntryKind
{
    /// <summary>A converted adapter.</summary>
    Conversion,

    /// <summary>Scores of one model, adapter and engine.</summary>
    Scores,
}

/// <summary>One entry of the cache. The names are those of the cmdlet's output and, in camelCase, of the command's JSON.</summary>
public sealed record SwayCacheEntry
{
    /// <summary>What it holds.</summary>
    public required CacheEntryKind Kind { get; init; }

    /// <summary>Its key: the SHA-256 of everything that decides its content.</summary>
    public required string Key { get; init; }

    /// <summary>Its folder.</summary>
    public required string FullName { get; init; }

    /// <summary>What it was made from: the adapter's path, for scores the model's and the adapter's, as they were then.</summary>
    public required string Origin { get; init; }

    /// <summary>Bytes of its files.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>Number of its files, for scores that of records.</summary>
    public required int FileCount { get; init; }

    /// <summary>When it was last used, to the minute.</summary>
    public required DateTime LastUsed { get; init; }

    /// <summary>Ok or Damaged after verifying, else NotVerified.</summary>
    public CacheEntryState State { get; init; }

    /// <summary>What is damaged, or null.</summary>
    public string? Problem { get; init; }
}

/// <summary>What verifying found.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CacheEntryState>))]
public enum CacheEntryState
{
    /// <summary>Nobody looked.</summary>
    NotVerified,

    /// <summary>Every byte is what was written.</summary>
    Ok,

    /// <summary>Something is missing or changed; it is never used, and made anew when it is needed.</summary>
    Damaged,
}
