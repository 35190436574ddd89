using System.Diagnostics;
using Sway.Caching;
using Sway.Inference;

namespace Sway.Scoring;

/// <summary>Answers items from the cache where it can, computes the others together, and records both.</summary>
internal sealed class CachedScorer(ScoringOptions options, ScoringRecorder recorder)
{
    private readonly BaseScores _base = new();

    /// <summary>The scores on disk, or null for none.</summary>
    public ScoreCache? Cache { get; set; }

    /// <summary>Scores the sequences of a wave; results stand in their order.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="views">The views.</param>
    /// <param name="wave">The sequences.</param>
    /// <param name="divergence">Whether divergences are wanted.</param>
    /// <param name="advanced">Called with the share of the wave's tokens that is done.</param>
    /// <param name="cancellationToken">Stops the computation.</param>
    public SequenceScore[] Score(
        Decoder decoder, IReadOnlyList<DecoderView> views, IReadOnlyList<TokenSequence> wave, bool divergence, Action<double>? advanced,
        CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        bool both = divergence && views.Count > 1;
        var results = new SequenceScore?[wave.Count];
        var missing = new List<int>(wave.Count);
        for (int i = 0; i < wave.Count; i++)
        {
            results[i] = Cache?.Find(wave[i], both);
            if (results[i] is null)
            {
                missing.Add(i);
            }
        }

        if (missing.Count > 0)
        {
            TokenSequence[] open = [.. missing.Select(i => wave[i])];
            double left = (double)open.Sum(sequence => (long)sequence.Ids.Count) / wave.Sum(sequence => (long)sequence.Ids.Count);
            SequenceScore[] computed = Compute(
                decoder, views, open, both, advanced is null ? null : share => advanced(1.0 - left + (left * share)), cancellationToken);
            bool store = Cache?.CanStore() ?? false;
            for (int i = 0; i < computed.Length; i++)
            {
                results[missing[i]] = computed[i];
                if (store)
                {
                    Cache!.Store(open[i], both, computed[i]);
                }
            }
        }

        advanced?.Invoke(1.0);
        var items = new RecordedItem[wave.Count];
        int next = 0;
        for (int i = 0; i < items.Length; i++)
        {
            bool computed = next < missing.Count && missing[next] == i;
            next += computed ? 1 : 0;
            items[i] = new RecordedItem(
                wave[i].Ids.Take(wave[i].FirstScored).ToArray(), wave[i].Ids.Count, Cache is null ? null : !computed);
        }

        recorder.Batch(both ? "divergence" : "score", views, decoder.Engine.Name, items, started);
        return results!;
    }

    // Where the base's scores of all sequences are known from another adapter, the adapted view runs alone.
    private SequenceScore[] Compute(
        Decoder decoder, IReadOnlyList<DecoderView> views, TokenSequence[] open, bool divergence, Action<double>? advanced,
        CancellationToken cancellationToken)
    {
        ViewScore?[] known = views.Count == 2 && !divergence ? [.. open.Select(_base.Find)] : [];
        if (known.Length > 0 && known.All(score => score is not null))
        {
            SequenceScore[] adapted = WaveScorer.Score(decoder, [views[1]], open, false, options.SharePrefixes, advanced, cancellationToken);
            return [.. adapted.Select((score, i) => new SequenceScore(known[i]!, score.Base, null))];
        }

        SequenceScore[] computed = WaveScorer.Score(decoder, views, open, divergence, options.SharePrefixes, advanced, cancellationToken);
        for (int i = 0; i < open.Length; i++)
        {
            _base.Keep(open[i], computed[i].Base);
        }

        return computed;
    }

    /// <summary>The distribution after a prompt.</summary>
    public NextTokenDistribution Predict(
        Decoder decoder, IReadOnlyList<DecoderView> views, IReadOnlyList<int> prompt, int topK, Func<NextTokenDistribution> compute)
    {
        long started = Stopwatch.GetTimestamp();
        NextTokenDistribution? found = Cache?.Find(prompt, topK);
        bool hit = found is not null;
        found ??= compute();
        if (!hit && Cache is { } cache && cache.CanStore())
        {
            cache.Store(prompt, topK, found);
        }

        recorder.Batch(
            "next-token", views, decoder.Engine.Name, [new RecordedItem(prompt.ToArray(), prompt.Count, Cache is null ? null : hit)], started);
        return found;
    }

    /// <summary>Records a generation, which is never cached.</summary>
    public void Generated(Decoder decoder, IReadOnlyList<DecoderView> views, IReadOnlyList<int> prompt, int count, long started) =>
        recorder.Batch("generate", views, decoder.Engine.Name, [new RecordedItem(prompt.ToArray(), prompt.Count + count, null)], started);
}
