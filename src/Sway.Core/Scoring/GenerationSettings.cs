using System.Buffers;
using Sway.Numerics;

namespace Sway.Scoring;

/// <summary>How tokens are generated.</summary>
public sealed record GenerationSettings
{
    /// <summary>The most tokens.</summary>
    public int MaxTokens { get; init; } = 64;

    /// <summary>0 = always the most probable token.</summary>
    public double Temperature { get; init; }

    /// <summary>Only the most probable tokens with this probability in all are drawn from.</summary>
    public double TopP { get; init; } = 1.0;

    /// <summary>Seed of the draws.</summary>
    public ulong Seed { get; init; }

    /// <summary>Tokens that end the text.</summary>
    public IReadOnlySet<int> EndTokens { get; init; } = new HashSet<int>();

    /// <summary>Chooses the next token.</summary>
    internal int Choose(ReadOnlySpan<float> logits, SplitMix random)
    {
        if (Temperature <= 0.0)
        {
            var best = 0;
            for (var i = 1; i < logits.Length; i++)
            {
                best = logits[i] > logits[best] ? i : best;
            }

            return best;
        }

        var order = ArrayPool<int>.Shared.Rent(logits.Length);
        var weights = ArrayPool<double>.Shared.Rent(logits.Length);
        try
        {
            DescendingOrder.Of(logits, order.AsSpan(0, logits.Length));
            return order[Draw(logits, order.AsSpan(0, logits.Length), weights, random)];
        }
        finally
        {
            ArrayPool<int>.Shared.Return(order);
            ArrayPool<double>.Shared.Return(weights);
        }
    }

    // The place in the order that is drawn. Sums go from the most probable token on, so they have the same bits everywhere.
    private int Draw(ReadOnlySpan<float> logits, ReadOnlySpan<int> order, Span<double> weights, SplitMix random)
    {
        double top = logits[order[0]];
        var sum = 0.0;
        for (var i = 0; i < order.Length; i++)
        {
            sum += weights[i] = Math.Exp((logits[order[i]] - top) / Temperature);
        }

        var limit = TopP * sum;
        var kept = 0;
        var mass = 0.0;
        while (kept < order.Length && (kept == 0 || mass < limit))
        {
            mass += weights[kept++];
        }

        var draw = random.NextDouble() * mass;
        for (var i = 0; i < kept; i++)
        {
            draw -= weights[i];
            if (draw < 0.0)
            {
                return i;
            }
        }

        return kept - 1;
    }
}

/// <summary>SplitMix64: the same draws on every machine and version.</summary>
internal sealed class SplitMix(ulong seed)
{
    private ulong _state = seed;

    /// <summary>A number in [0, 1).</summary>
    public double NextDouble()
    {
        _state += 0x9E3779B97F4A7C15UL;
        var z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return ((z ^ (z >> 31)) >> 11) * (1.0 / (1UL << 53));
    }
}
