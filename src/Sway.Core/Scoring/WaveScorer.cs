using Sway.Inference;

namespace Sway.Scoring;

/// <summary>Scores the sequences of one wave together.</summary>
internal static class WaveScorer
{
    // Logits of both views are kept for so many rows at once, whatever the number of positions.
    private const long LogitsAtOnce = 16L << 20;

    /// <summary>Scores; results stand in the order of the sequences.</summary>
    public static SequenceScore[] Score(
        Decoder decoder, IReadOnlyList<DecoderView> views, IReadOnlyList<TokenSequence> wave, bool divergence, bool sharePrefixes,
        CancellationToken cancellationToken)
    {
        var results = wave.Select(sequence => Empty(decoder, sequence, views.Count, divergence)).ToArray();
        // A prefix is the same for all only where the rotary variant is.
        var alike = wave.All(sequence => decoder.RopeVariant(sequence.Ids.Count) == decoder.RopeVariant(wave[0].Ids.Count));
        var plan = PrefixPlan.Make(wave, sharePrefixes && alike);
        var parts = new List<SequencePart>();
        if (plan.Shared > 0)
        {
            var memories = views.Select(_ => new LaneMemory(decoder.Spec.Layers.Count)).ToArray();
            var shared = new SequencePart(wave[0].Ids.Take(plan.Shared).ToArray(), 0, plan.SequenceLength, memories);
            decoder.Run([shared], views, cancellationToken).Dispose();
            foreach (var sequence in wave)
            {
                var rest = sequence.Ids.Skip(plan.Shared).Take(sequence.Ids.Count - 1 - plan.Shared).ToArray();
                parts.Add(new SequencePart(rest, plan.Shared, sequence.Ids.Count, [.. memories.Select(memory => memory.Fork(plan.Shared))]));
            }
        }
        else
        {
            foreach (var sequence in wave)
            {
                parts.Add(new SequencePart(sequence.Ids.Take(sequence.Ids.Count - 1).ToArray(), 0, sequence.Ids.Count));
            }
        }

        using var hidden = decoder.Run(parts, views, cancellationToken);
        ReadLogits(decoder, views, wave, parts, plan.Shared, hidden, results, cancellationToken);
        return results;
    }

    private static SequenceScore Empty(Decoder decoder, TokenSequence sequence, int views, bool divergence)
    {
        if (sequence.FirstScored < 1 || sequence.FirstScored >= sequence.Ids.Count)
        {
            throw new ScoringException("A sequence needs one token before the first scored one and at least one scored token.");
        }

        foreach (var id in sequence.Ids)
        {
            if ((uint)id >= (uint)decoder.Spec.VocabularySize)
            {
                throw new ScoringException($"Token {id} is outside the vocabulary of {decoder.Spec.VocabularySize}.");
            }
        }

        var count = sequence.Ids.Count - sequence.FirstScored;
        return new SequenceScore(
            new ViewScore(new double[count], new int[count]),
            views > 1 ? new ViewScore(new double[count], new int[count]) : null,
            views > 1 && divergence ? new DivergenceScore(new double[count], new double[count], new double[count]) : null);
    }

    private static void ReadLogits(
        Decoder decoder, IReadOnlyList<DecoderView> views, IReadOnlyList<TokenSequence> wave, List<SequencePart> parts, int shared,
        EngineTensor hidden, SequenceScore[] results, CancellationToken cancellationToken)
    {
        var tokens = parts.Sum(part => part.Tokens.Length);
        var wanted = new List<(int Row, int Sequence, int Index)>();
        var row = 0;
        for (var s = 0; s < wave.Count; s++)
        {
            for (var i = wave[s].FirstScored; i < wave[s].Ids.Count; i++)
            {
                wanted.Add((row + i - 1 - shared, s, i));
            }

            row += parts[s].Tokens.Length;
        }

        var block = (int)Math.Clamp(LogitsAtOnce / decoder.Spec.VocabularySize / views.Count, 16, 1024);
        foreach (var chunk in wanted.Chunk(block))
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var logits = decoder.Logits(hidden, tokens, [.. chunk.Select(item => item.Row)], views);
            decoder.Engine.ForEach(chunk.Length, i => Read(decoder.Engine, logits, chunk, i, wave, results));
        }
    }

    private static void Read(
        IEngine engine, EngineTensor logits, (int Row, int Sequence, int Index)[] chunk, int i, IReadOnlyList<TokenSequence> wave,
        SequenceScore[] results)
    {
        var (_, sequence, index) = chunk[i];
        var token = wave[sequence].Ids[index];
        var at = index - wave[sequence].FirstScored;
        var result = results[sequence];
        var baseRow = engine.Row(logits, i);
        var baseSum = VocabularyMath.LogSumExp(baseRow);
        result.Base.LogProbs[at] = baseRow[token] - baseSum;
        result.Base.Ranks[at] = VocabularyMath.Rank(baseRow, token);
        if (result.Adapted is null)
        {
            return;
        }

        var row = engine.Row(logits, chunk.Length + i);
        var sum = VocabularyMath.LogSumExp(row);
        result.Adapted.LogProbs[at] = row[token] - sum;
        result.Adapted.Ranks[at] = VocabularyMath.Rank(row, token);
        if (result.Divergence is { } divergence)
        {
            (divergence.AdaptedBase[at], divergence.BaseAdapted[at], divergence.JensenShannon[at]) =
                VocabularyMath.Divergence(row, sum, baseRow, baseSum);
        }
    }
}
