using Sway.Architectures;

namespace Sway.Inference;

/// <summary>The frequencies of one rotary embedding and what scales its cosines and sines.</summary>
/// <remarks>Formulas: transformers' modeling_rope_utils, in double precision.</remarks>
public sealed class RopeTable
{
    private const int MaximumHeadSize = 1 << 17;

    private readonly double[] _frequencies;
    private readonly double[]? _longFrequencies;
    private readonly int _switchLength = int.MaxValue;
    private readonly int _limit = int.MaxValue;

    private RopeTable(double[] frequencies, double scaling, double[]? longFrequencies, int switchLength, int limit)
    {
        _frequencies = frequencies;
        _longFrequencies = longFrequencies;
        _switchLength = switchLength;
        _limit = limit;
        Scaling = scaling;
    }

    /// <summary>Number of dimensions that are rotated.</summary>
    public int Dimensions => _frequencies.Length * 2;

    /// <summary>The factor on cosines and sines.</summary>
    public double Scaling { get; }

    /// <summary>
    /// Which set of frequencies a sequence of this length takes: keys rotated under one variant cannot be continued under another.
    /// </summary>
    public int Variant(int sequenceLength) => sequenceLength > _switchLength ? 1 : 0;

    /// <summary>The frequencies for a sequence of this length.</summary>
    /// <exception cref="UnsupportedModelException">The scaling changes with every further token and is not computed.</exception>
    public ReadOnlySpan<double> Frequencies(int sequenceLength)
    {
        if (sequenceLength > _limit)
        {
            throw new UnsupportedModelException(
                $"Dynamic rope scaling beyond {_limit} tokens is not supported: a sequence has {sequenceLength}.");
        }

        return Variant(sequenceLength) == 0 ? _frequencies : _longFrequencies;
    }

    /// <summary>Builds the table of one kind of layer.</summary>
    /// <param name="config">The model.</param>
    /// <param name="rope">Its rotary parameters.</param>
    /// <param name="headSize">Dimensions of a head.</param>
    /// <param name="defaultPartial">The rotated part of a head where the configuration says nothing.</param>
    public static RopeTable Create(ModelConfig config, RopeConfig rope, int headSize, double defaultPartial = 1.0)
    {
        var rotated = headSize * (rope.PartialFactor ?? defaultPartial);
        if (!(rotated >= 0 && rotated <= headSize) || headSize > MaximumHeadSize)
        {
            throw new UnsupportedModelException($"{config.Path}: {rotated} of {headSize} dimensions of a head cannot be rotated.");
        }

        var dimensions = (int)rotated;
        var inverse = new double[dimensions / 2];
        for (var i = 0; i < inverse.Length; i++)
        {
            inverse[i] = 1.0 / Math.Pow(rope.Theta, 2.0 * i / dimensions);
        }

        var maximum = config.Int("max_position_embeddings", ClassDefaults.MaxPositions(config.ModelType));
        double original = config.OptionalInt("original_max_position_embeddings") ?? ClassDefaults.OriginalPositions(config.ModelType)
            ?? rope.Number("original_max_position_embeddings") ?? maximum;
        switch (rope.Kind)
        {
            case "default":
                return new RopeTable(inverse, 1.0, null, int.MaxValue, int.MaxValue);
            case "linear":
                var factor = Need(config, rope, "factor");
                return new RopeTable([.. inverse.Select(f => f / factor)], 1.0, null, int.MaxValue, int.MaxValue);
            case "dynamic":
                return new RopeTable(inverse, 1.0, null, int.MaxValue, maximum);
            case "llama3":
                return new RopeTable(Llama3(config, rope, inverse, original), 1.0, null, int.MaxValue, int.MaxValue);
            case "yarn":
                return Yarn(rope, inverse, dimensions, original, maximum);
            case "longrope":
                return LongRope(config, rope, inverse, original, maximum);
            default:
                throw new UnsupportedModelException($"{config.Path}: rope_type \"{rope.Kind}\" is not supported.");
        }
    }

    private static double Need(ModelConfig config, RopeConfig rope, string name) => rope.Number(name)
        ?? throw new UnsupportedModelException($"{config.Path}: rope_type \"{rope.Kind}\" needs \"{name}\".");

    private static double[] Llama3(ModelConfig config, RopeConfig rope, double[] inverse, double original)
    {
        var factor = Need(config, rope, "factor");
        var low = Need(config, rope, "low_freq_factor");
        var high = Need(config, rope, "high_freq_factor");
        return [.. inverse.Select(f =>
        {
            var wave = 2.0 * Math.PI / f;
            if (wave > original / low)
            {
                return f / factor;
            }

            if (wave < original / high)
            {
                return f;
            }

            var smooth = ((original / wave) - low) / (high - low);
            return ((1.0 - smooth) * f / factor) + (smooth * f);
        })];
    }

    private static RopeTable Yarn(RopeConfig rope, double[] inverse, int dimensions, double original, int maximum)
    {
        var factor = rope.Number("factor") ?? maximum / original;
        var scaling = rope.Number("attention_factor");
        if (scaling is null)
        {
            var mscale = rope.Number("mscale") ?? 0.0;
            var all = rope.Number("mscale_all_dim") ?? 0.0;
            scaling = mscale != 0.0 && all != 0.0 ? MScale(factor, mscale) / MScale(factor, all) : MScale(factor, 1.0);
        }

        // Zero counts as absent, as in the original code.
        var fast = rope.Number("beta_fast") is { } f and not 0.0 ? f : 32.0;
        var slow = rope.Number("beta_slow") is { } s and not 0.0 ? s : 1.0;
        var low = Correction(fast);
        var high = Correction(slow);
        if (rope.Flag("truncate", true))
        {
            low = Math.Floor(low);
            high = Math.Ceiling(high);
        }

        low = Math.Max(low, 0.0);
        high = Math.Min(high, dimensions - 1);
        if (low == high)
        {
            high += 0.001;
        }

        var frequencies = new double[inverse.Length];
        for (var i = 0; i < frequencies.Length; i++)
        {
            var ramp = Math.Clamp((i - low) / (high - low), 0.0, 1.0);
            frequencies[i] = (inverse[i] / factor * ramp) + (inverse[i] * (1.0 - ramp));
        }

        return new RopeTable(frequencies, scaling.Value, null, int.MaxValue, int.MaxValue);

        double Correction(double rotations) =>
            dimensions * Math.Log(original / (rotations * 2.0 * Math.PI)) / (2.0 * Math.Log(rope.Theta));
    }

    /// <summary>The attention factor of yarn for one multiplier.</summary>
    internal static double MScale(double factor, double multiplier) =>
        factor <= 1.0 ? 1.0 : (0.1 * multiplier * Math.Log(factor)) + 1.0;

    private static RopeTable LongRope(ModelConfig config, RopeConfig rope, double[] inverse, double original, int maximum)
    {
        var factor = rope.Number("factor") ?? maximum / original;
        var scaling = rope.Number("attention_factor")
            ?? (factor <= 1.0 ? 1.0 : Math.Sqrt(1.0 + (Math.Log(factor) / Math.Log(original))));
        return new RopeTable(Divide("short_factor"), scaling, Divide("long_factor"), (int)original, int.MaxValue);

        double[] Divide(string name)
        {
            var factors = rope.Numbers(name);
            if (factors is null || factors.Count != inverse.Length)
            {
                throw new UnsupportedModelException($"{config.Path}: longrope needs {inverse.Length} numbers in \"{name}\".");
            }

            return [.. inverse.Select((f, i) => f / factors[i])];
        }
    }
}
