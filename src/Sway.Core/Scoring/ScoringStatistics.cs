namespace Sway.Scoring;

/// <summary>What a session has done so far.</summary>
/// <param name="Items">Items that were answered: sequences, prompts, generations.</param>
/// <param name="CacheHits">Items that the cache answered.</param>
/// <param name="CacheMisses">Items that the cache was asked for in vain; items that are never cached do not count.</param>
/// <param name="ForwardPasses">Passes of a batch through the model.</param>
/// <param name="Tokens">Tokens that went through the model, counted once for all views.</param>
/// <param name="Batches">Groups of items that were answered together.</param>
/// <param name="WallTime">Time spent on answering.</param>
public sealed record ScoringStatistics(
    long Items, long CacheHits, long CacheMisses, long ForwardPasses, long Tokens, long Batches, TimeSpan WallTime)
{
    /// <summary>Tokens through the model in a second; 0 before the first.</summary>
    public double TokensPerSecond => WallTime > TimeSpan.Zero ? Tokens / WallTime.TotalSeconds : 0.0;
}
