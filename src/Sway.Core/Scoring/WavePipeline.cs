namespace Sway.Scoring;

/// <summary>
/// Items in, results out, in order, in bounded waves: no more is read ahead than one wave, so an endless source and a consumer that
/// stops early cost one wave.
/// </summary>
/// <param name="scorer">What scores a wave.</param>
/// <param name="waveTokens">Tokens that run together.</param>
/// <param name="sharePrefixes">Whether the scorer computes common beginnings once.</param>
internal sealed class WavePipeline(ISequenceScorer scorer, int waveTokens, bool sharePrefixes)
{
    /// <summary>Scores items; one that fails does not keep the others from being scored.</summary>
    public IEnumerable<ScoredItem<T>> Score<T>(
        IEnumerable<T> items, Func<T, TokenSequence?> tokens, bool divergence, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        long done = 0;
        var wave = new Wave<T>(sharePrefixes);
        foreach (var item in items)
        {
            cancellationToken.ThrowIfCancellationRequested();
            TokenSequence? sequence = null;
            SwayException? error = null;
            try
            {
                sequence = tokens(item);
                sequence?.Validate(scorer.VocabularySize);
            }
            catch (SwayException e)
            {
                error = e;
            }

            var scored = error is null ? sequence : null;
            var added = wave.Cost(scored);
            if (wave.Items.Count > 0 && wave.Tokens + added > Limit(wave, sequence))
            {
                foreach (var result in Run(wave, divergence, progress, done, cancellationToken))
                {
                    yield return result;
                }

                done += wave.Valid;
                wave = new Wave<T>(sharePrefixes);
                added = wave.Cost(scored);
            }

            wave.Add(item, sequence, error, added);
        }

        foreach (var result in Run(wave, divergence, progress, done, cancellationToken))
        {
            yield return result;
        }
    }

    // Beside a sequence longer than a wave there is room for as much again: what shares it would else compute it anew.
    private int Limit<T>(Wave<T> wave, TokenSequence? next) =>
        sharePrefixes ? Math.Max(waveTokens, 2 * Math.Max(wave.Longest, next?.Ids.Count ?? 0)) : waveTokens;

    private IEnumerable<ScoredItem<T>> Run<T>(
        Wave<T> wave, bool divergence, IProgress<long>? progress, long before, CancellationToken cancellationToken)
    {
        var good = wave.Items.Where(item => item.Error is null && item.Sequence is not null).Select(item => item.Sequence!).ToArray();
        var reported = before;
        var scores = Score(good, before, divergence, progress is null ? null : Report, cancellationToken);
        var next = 0;
        foreach (var (item, sequence, error) in wave.Items)
        {
            var (score, failure) = error is null && sequence is not null ? scores[next++] : (null, error);
            yield return new ScoredItem<T>(item, sequence, score, failure);
        }

        // A wave that is computed again, one by one, shows nothing new until it is further than the first time.
        void Report(long done)
        {
            if (done > reported)
            {
                progress!.Report(reported = done);
            }
        }
    }

    private (SequenceScore? Score, SwayException? Error)[] Score(
        TokenSequence[] wave, long before, bool divergence, Action<long>? report, CancellationToken cancellationToken)
    {
        if (wave.Length == 0)
        {
            return [];
        }

        var tokens = wave.Sum(sequence => (long)sequence.Ids.Count);
        try
        {
            var scores = scorer.Score(
                wave, divergence, report is null ? null : share => report(before + (long)(share * tokens)), cancellationToken);
            return [.. scores.Select(score => ((SequenceScore?)score, (SwayException?)null))];
        }
        catch (ScoringException e) when (wave.Length == 1)
        {
            return [(null, e)];
        }
        catch (ScoringException)
        {
            // Alone each has the same bits as together, so only the one at fault fails.
            return [.. wave.Select(one =>
            {
                var alone = Score([one], before, divergence, report, cancellationToken)[0];
                before += one.Ids.Count;
                return alone;
            })];
        }
    }

    // Items gathered so far. Tokens that an earlier one begins with cost nothing.
    private sealed class Wave<T>(bool share)
    {
        private readonly List<int[]> _ids = [];

        public List<(T Item, TokenSequence? Sequence, SwayException? Error)> Items { get; } = [];

        public int Tokens { get; private set; }

        public int Longest { get; private set; }

        /// <summary>Tokens of the sequences that are scored, counted once for each.</summary>
        public long Valid { get; private set; }

        public int Cost(TokenSequence? sequence)
        {
            if (sequence is null)
            {
                return 1;
            }

            var own = sequence.Ids as int[] ?? [.. sequence.Ids];
            var common = 0;
            for (var i = 0; share && i < _ids.Count; i++)
            {
                common = Math.Max(common, own.AsSpan().CommonPrefixLength(_ids[i]));
            }

            return Math.Max(1, own.Length - common);
        }

        public void Add(T item, TokenSequence? sequence, SwayException? error, int cost)
        {
            Items.Add((item, sequence, error));
            Tokens += cost;
            if (error is null && sequence is not null)
            {
                _ids.Add(sequence.Ids as int[] ?? [.. sequence.Ids]);
                Longest = Math.Max(Longest, sequence.Ids.Count);
                Valid += sequence.Ids.Count;
            }
        }
    }
}
