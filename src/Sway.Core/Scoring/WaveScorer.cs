using System.Numerics.Tensors;
using Sway.Inference;

namespace Sway.Scoring;

/// <summary>Scores the sequences of one wave in one pass, layer by layer; what they have in common is computed once.</summary>
internal static class WaveScorer
{
    // So many logits of a view are kept at once: enough positions that reading the head's weights for them is a small part of the work.
    private const long LogitsAtOnce = 12L << 20;

    /// <summary>Scores; results stand in the order of the sequences.</summary>
    public static SequenceScore[] Score(
        Decoder decoder, IReadOnlyList<DecoderView> views, IReadOnlyList<TokenSequence> wave, bool divergence, bool sharePrefixes,
        Action<double>? advanced, CancellationToken cancellationToken)
    {
        var results = new SequenceScore[wave.Count];
        for (var s = 0; s < results.Length; s++)
        {
            wave[s].Validate(decoder.Spec.VocabularySize);
            results[s] = Empty(wave[s].Ids.Count - wave[s].FirstScored, views.Count, divergence);
        }

        var tree = TokenTree.Make(wave, sharePrefixes, decoder.RopeVariant);
        var parts = tree.Nodes.Select(node => new SequencePart(node.Tokens, node.Start, node.SequenceLength, null, node.Parent)).ToArray();

        // The head is counted as one layer more.
        double steps = decoder.Spec.Layers.Count + 1;
        using var hidden = decoder.Run(parts, views, advanced is null ? null : layers => advanced(layers / steps), cancellationToken);
        ReadLogits(
            decoder, views, wave, tree, hidden, results, advanced is null ? null : share => advanced((steps - 1 + share) / steps), cancellationToken);
        return results;
    }

    private static SequenceScore Empty(int count, int views, bool divergence) => new(
        new ViewScore(new double[count], new int[count]),
        views > 1 ? new ViewScore(new double[count], new int[count]) : null,
        views > 1 && divergence ? new DivergenceScore(new double[count], new double[count], new double[count]) : null);

    private static void ReadLogits(
        Decoder decoder, IReadOnlyList<DecoderView> views, IReadOnlyList<TokenSequence> wave, TokenTree tree, HiddenStates hidden,
        SequenceScore[] results, Action<double>? advanced, CancellationToken cancellationToken)
    {
        // A row that several sequences go through is multiplied with the head once and read by each.
        var targets = Targets(wave, tree).ToArray();
        Array.Sort(targets, static (a, b) => a.Row != b.Row ? a.Row - b.Row : a.Sequence != b.Sequence ? a.Sequence - b.Sequence : a.Index - b.Index);
        var block = BlockLength(targets, (int)Math.Clamp(LogitsAtOnce / decoder.Spec.VocabularySize, 16, 1024));
        var (rows, starts) = (new int[block], new int[block + 1]);

        // Beside the logits the head's input, normed and in the order of products.
        decoder.Engine.Shrink((block + 16L) * views.Count * (decoder.Spec.VocabularySize + (4L * decoder.Spec.HiddenSize)) * sizeof(float));
        for (var next = 0; next < targets.Length;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var count = 0;
            for (; next < targets.Length && (count < block || targets[next].Row == rows[count - 1]); next++)
            {
                if (count == 0 || targets[next].Row != rows[count - 1])
                {
                    (rows[count], starts[count]) = (targets[next].Row, next);
                    count++;
                }
            }

            starts[count] = next;
            using var logits = decoder.UncheckedLogits(hidden, tree.Tokens, rows.AsSpan(0, count), views);
            var bad = new bool[count * views.Count];
            decoder.Engine.ForEach(count, i => Read(decoder.Engine, logits, i, count, targets.AsSpan(starts[i]..starts[i + 1]), wave, results, bad));
            decoder.CheckLogits(Array.IndexOf(bad, true), count, views);
            advanced?.Invoke((double)next / targets.Length);
        }
    }

    // Blocks of nearly the same number of rows: a short last one would pay as much for the head's weights as the others.
    private static int BlockLength(Target[] sorted, int longest)
    {
        var rows = 0;
        for (var i = 0; i < sorted.Length; i++)
        {
            rows += i == 0 || sorted[i].Row != sorted[i - 1].Row ? 1 : 0;
        }

        var blocks = Math.Max(1, (rows + longest - 1) / longest);
        return Math.Max(1, (rows + blocks - 1) / blocks);
    }

    private static IEnumerable<Target> Targets(IReadOnlyList<TokenSequence> wave, TokenTree tree)
    {
        for (var s = 0; s < wave.Count; s++)
        {
            for (var i = wave[s].FirstScored; i < wave[s].Ids.Count; i++)
            {
                yield return new Target(tree.Row(s, i - 1), s, i);
            }
        }
    }

    private static void Read(
        IEngine engine, EngineTensor logits, int row, int rows, ReadOnlySpan<Target> targets, IReadOnlyList<TokenSequence> wave,
        SequenceScore[] results, bool[] bad)
    {
        var two = results[0].Adapted is not null;
        var baseRow = engine.Row(logits, row);
        var baseSum = Sum(baseRow, out bad[row]);
        var adaptedRow = two ? engine.Row(logits, rows + row) : default;
        var adaptedSum = two ? Sum(adaptedRow, out bad[rows + row]) : 0.0;
        var distance = results[0].Divergence is null ? default : VocabularyMath.Divergence(adaptedRow, adaptedSum, baseRow, baseSum);
        foreach (var (_, sequence, index) in targets)
        {
            var token = wave[sequence].Ids[index];
            var at = index - wave[sequence].FirstScored;
            var result = results[sequence];
            Put(result.Base, at, baseRow, token, baseSum);
            if (result.Adapted is { } adapted)
            {
                Put(adapted, at, adaptedRow, token, adaptedSum);
            }

            if (result.Divergence is { } divergence)
            {
                (divergence.AdaptedBase[at], divergence.BaseAdapted[at], divergence.JensenShannon[at]) = distance;
            }
        }
    }

    // The row comes from memory once: what is not finite is looked for right before.
    private static double Sum(ReadOnlySpan<float> logits, out bool bad)
    {
        bad = !TensorPrimitives.IsFiniteAll(logits);
        return bad ? double.NaN : VocabularyMath.LogSumExp(logits);
    }

    private static void Put(ViewScore score, int at, ReadOnlySpan<float> logits, int token, double sum)
    {
        score.LogProbs[at] = logits[token] - sum;
        score.Ranks[at] = VocabularyMath.Rank(logits, token);
    }

    // A scored token: the row that predicts it, its sequence, its index there.
    private readonly record struct Target(int Row, int Sequence, int Index);
}
