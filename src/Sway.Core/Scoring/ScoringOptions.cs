using Sway.Caching;
using Sway.Inference;

namespace Sway.Scoring;

/// <summary>How a session computes.</summary>
public sealed record ScoringOptions
{
    /// <summary>The engine.</summary>
    public BackendChoice Backend { get; init; }

    /// <summary>The arithmetic.</summary>
    public PrecisionChoice Precision { get; init; }

    /// <summary>Threads; 0 = one for each processor.</summary>
    public int Threads { get; init; }

    /// <summary>Strength of the adapter in the adapted view: 0 = base, 1 = the adapter.</summary>
    public double Strength { get; init; } = 1.0;

    /// <summary>Tokens that run together; results do not depend on it.</summary>
    public int WaveTokens { get; init; } = 2048;

    /// <summary>Whether prompts that begin alike are computed once; results do not depend on it.</summary>
    public bool SharePrefixes { get; init; } = true;

    /// <summary>Which adapter of several in one folder; null when there is one.</summary>
    public string? AdapterName { get; init; }

    /// <summary>Where scores are kept for the next time; null to compute always.</summary>
    public CacheStore? Cache { get; init; }

    /// <summary>A file that gets one JSON line for each item, or null.</summary>
    public string? TracePath { get; init; }
}
