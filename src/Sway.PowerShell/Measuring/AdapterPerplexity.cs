using Sway.Scoring;

namespace Sway.PowerShell.Measuring;

/// <summary>How well one view predicts a text.</summary>
public sealed class PerplexityView
{
    internal PerplexityView(double[] logProbs, int? bytes)
    {
        TokenLogProbs = logProbs;
        LogProb = logProbs.Sum();
        if (logProbs.Length > 0)
        {
            Perplexity = Math.Exp(-LogProb / logProbs.Length);
            BitsPerByte = bytes is > 0 ? -LogProb / Math.Log(2.0) / bytes.Value : null;
        }
    }

    /// <summary>The sum of the log-probabilities, in nats.</summary>
    public double LogProb { get; }

    /// <summary>exp of the mean negative log-probability; null when nothing is scored.</summary>
    public double? Perplexity { get; }

    /// <summary>Bits for each UTF-8 byte of the scored text; null for a text that was given as tokens.</summary>
    public double? BitsPerByte { get; }

    /// <summary>The log-probability of each scored token.</summary>
    public double[] TokenLogProbs { get; }

    /// <inheritdoc/>
    public override string ToString() => Perplexity?.ToString("R", System.Globalization.CultureInfo.InvariantCulture) ?? "";
}

/// <summary>How well base model and adapter predict a text.</summary>
public sealed class AdapterPerplexity : MeasureResult
{
    private TokenScore[]? _scores;

    internal AdapterPerplexity(MeasureOrigin origin)
        : base(origin)
    {
    }

    /// <summary>The number of scored tokens.</summary>
    public int TokenCount => TokenIds.Length;

    /// <summary>The perplexity of the base view; null when nothing is scored.</summary>
    public double? BasePerplexity => Base.Perplexity;

    /// <summary>The perplexity of the adapted view.</summary>
    public double? AdaptedPerplexity => Adapted?.Perplexity;

    /// <summary>The gain in log-probability over the whole text, in nats; positive when the adapter predicts it better.</summary>
    public double? DeltaLogProb => Adapted?.LogProb - Base.LogProb;

    /// <summary>The gain in nats per token.</summary>
    public double? DeltaPerToken => TokenCount > 0 ? DeltaLogProb / TokenCount : null;

    /// <summary>How the text was cut into windows.</summary>
    public required RollingPreset Preset { get; init; }

    /// <summary>The longest window, in tokens.</summary>
    public required int Window { get; init; }

    /// <summary>The number of windows.</summary>
    public required int WindowCount { get; init; }

    /// <summary>What was done about a start token.</summary>
    public required BosAction Bos { get; init; }

    /// <summary>The ids of the scored tokens.</summary>
    public required int[] TokenIds { get; init; }

    /// <summary>The base view.</summary>
    public required PerplexityView Base { get; init; }

    /// <summary>The adapted view; null without an adapter.</summary>
    public required PerplexityView? Adapted { get; init; }

    /// <summary>Everything that is known of each token; made when it is first asked for.</summary>
    public TokenScore[] TokenScores => _scores ??= Make();

    internal Func<int[], string[]?> Texts { get; init; } = _ => null;

    private TokenScore[] Make()
    {
        string[]? texts = Texts(TokenIds);
        return [.. TokenIds.Select((id, i) => new TokenScore
        {
            Index = i,
            Id = id,
            Text = texts?[i],
            Base = Base.TokenLogProbs[i],
            Adapted = Adapted?.TokenLogProbs[i],
        })];
    }
}
