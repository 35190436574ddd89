using Sway.Inference;
using Sway.Numerics;

namespace Sway.Scoring;

/// <summary>The most probable next tokens in one view.</summary>
/// <param name="Ids">Their ids, most probable first; ties by id.</param>
/// <param name="LogProbs">Their log-probabilities in nats.</param>
/// <param name="TailLogProb">
/// ln of the probability of all others, summed over them and not as what is missing to one, so that it is exact however small; null when
/// all tokens are listed.
/// </param>
public sealed record NextTokenView(int[] Ids, double[] LogProbs, double? TailLogProb);

/// <summary>The next-token distribution of both views.</summary>
/// <param name="Base">The base view.</param>
/// <param name="Adapted">The adapted view, or null.</param>
/// <param name="VocabularySize">Number of tokens.</param>
public sealed record NextTokenDistribution(NextTokenView Base, NextTokenView? Adapted, int VocabularySize);

/// <summary>Distributions after a prompt, and generation.</summary>
public static class NextToken
{
    /// <summary>The distribution after a prompt.</summary>
    /// <param name="session">The session.</param>
    /// <param name="ids">The prompt's tokens, at least one.</param>
    /// <param name="topK">How many tokens are listed.</param>
    /// <param name="cancellationToken">Stops between layers.</param>
    public static NextTokenDistribution Predict(ScoringSession session, IReadOnlyList<int> ids, int topK = 256, CancellationToken cancellationToken = default) =>
        session.Cached((scorer, decoder, views) =>
        {
            CheckPrompt(ids, decoder.Spec.VocabularySize);
            return scorer.Predict(decoder, views, ids, topK, () =>
            {
                using var hidden = decoder.Run([new SequencePart(ids.ToArray(), 0, ids.Count)], views, cancellationToken);
                using var logits = decoder.Logits(hidden, ids.Count, [ids.Count - 1], views);
                var found = views.Select((_, v) => Top(decoder.Engine.Row(logits, v), topK)).ToArray();
                return new NextTokenDistribution(found[0], found.Length > 1 ? found[1] : null, decoder.Spec.VocabularySize);
            });
        }, cancellationToken);

    /// <summary>Generates tokens in one view with a key-value cache.</summary>
    /// <param name="session">The session.</param>
    /// <param name="ids">The prompt's tokens, at least one.</param>
    /// <param name="adapted">Which view.</param>
    /// <param name="settings">How many tokens, and how they are chosen.</param>
    /// <param name="cancellationToken">Stops between layers.</param>
    /// <returns>The new tokens, with the end token when one was met.</returns>
    public static IReadOnlyList<int> Generate(
        ScoringSession session, IReadOnlyList<int> ids, bool adapted, GenerationSettings settings, CancellationToken cancellationToken = default) =>
        [.. Stream(session, ids, adapted, settings, cancellationToken)];

    /// <summary>
    /// Generates tokens in one view with a key-value cache, each when it is asked for. The session is held for one token at a time, so
    /// several generations can go on beside each other; the view is the one that the session had at the first token.
    /// </summary>
    /// <inheritdoc cref="Generate"/>
    public static IEnumerable<int> Stream(
        ScoringSession session, IReadOnlyList<int> ids, bool adapted, GenerationSettings settings, CancellationToken cancellationToken = default)
    {
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        var random = new SplitMix(settings.Seed);
        var all = ids.ToList();
        DecoderView[]? view = null;
        LaneMemory[]? memory = null;
        for (var step = 0; step < settings.MaxTokens; step++)
        {
            var (next, ended) = session.Cached((scorer, decoder, views) =>
            {
                if (view is null)
                {
                    CheckPrompt(ids, decoder.Spec.VocabularySize);
                    view = [views[adapted ? views.Count - 1 : 0]];
                }

                // Where the rotary variant changes with the length, earlier keys are computed again, as transformers does.
                if (memory is null || decoder.RopeVariant(all.Count) != decoder.RopeVariant(memory[0].Length))
                {
                    memory = [new LaneMemory(decoder.Spec.Layers.Count)];
                }

                var start = memory[0].Length;
                var tokens = all.Skip(start).ToArray();
                using var hidden = decoder.Run([new SequencePart(tokens, start, all.Count, memory)], view, cancellationToken);
                memory[0].Length = all.Count;
                using var logits = decoder.Logits(hidden, tokens.Length, [tokens.Length - 1], view);
                var chosen = settings.Choose(decoder.Engine.Row(logits, 0), random);
                all.Add(chosen);
                var last = settings.EndTokens.Contains(chosen);
                if (last || step + 1 == settings.MaxTokens)
                {
                    scorer.Generated(decoder, view, ids, all.Count - ids.Count, started);
                }

                return (chosen, last);
            }, cancellationToken);
            yield return next;
            if (ended)
            {
                yield break;
            }
        }
    }

    private static void CheckPrompt(IReadOnlyList<int> ids, int vocabulary)
    {
        if (ids.Count == 0)
        {
            throw new ScoringException("An empty prompt needs a start token in front.");
        }

        foreach (var id in ids)
        {
            if ((uint)id >= (uint)vocabulary)
            {
                throw new ScoringException($"Token {id} is outside the vocabulary of {vocabulary}.");
            }
        }
    }

    private static NextTokenView Top(ReadOnlySpan<float> logits, int topK)
    {
        var sum = VocabularyMath.LogSumExp(logits);
        var values = logits.ToArray();
        var count = Math.Min(Math.Max(1, topK), values.Length);
        var order = new int[values.Length];
        DescendingOrder.Of(values, order);
        double? tail = count < values.Length ? VocabularyMath.LogSumExp(values, order.AsSpan(count)) - sum : null;
        return new NextTokenView(order[..count], [.. order.Take(count).Select(i => values[i] - sum)], tail);
    }
}
