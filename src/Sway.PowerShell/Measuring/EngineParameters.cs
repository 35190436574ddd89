using Sway.Caching;
using Sway.Inference;
using Sway.Scoring;

namespace Sway.PowerShell.Measuring;

/// <summary>Opens models as the parameters of a cmdlet ask.</summary>
/// <param name="Backend">The engine.</param>
/// <param name="Precision">The arithmetic.</param>
/// <param name="Threads">Threads; 0 = one for each processor.</param>
/// <param name="Strength">Strength of the adapter.</param>
/// <param name="AdapterName">Which adapter of several in one folder, or null.</param>
/// <param name="TracePath">A file that gets one JSON line for each item, or null.</param>
/// <param name="UseCache">Whether scores are taken from the cache and kept there.</param>
internal sealed record EngineParameters(
    BackendChoice Backend, PrecisionChoice Precision, int Threads, double Strength, string? AdapterName, string? TracePath, bool UseCache)
{
    /// <summary>Loads a model.</summary>
    internal ScoringSession Open(string model, string? adapter) => ScoringSession.Open(model, adapter, new ScoringOptions
    {
        Backend = Backend,
        Precision = Precision,
        Threads = Threads,
        Strength = Strength,
        AdapterName = AdapterName,
        Cache = UseCache ? CacheStore.Open() : null,
        TracePath = TracePath,
    });
}
