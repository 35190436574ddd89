using Sway.Adapters;

namespace Sway.Inference;

/// <summary>What an adapter changes about one linear layer, gathered from its modules and extras.</summary>
internal sealed class LinearDeltaParts
{
    public List<(float[] A, float[] B, int Rank, double Scaling)> Terms { get; } = [];

    public float[]? Magnitude { get; set; }

    public float[]? TermBias { get; set; }

    public float[]? TrainedBias { get; set; }

    public EngineWeight? Replacement { get; set; }

    /// <summary>Makes the delta.</summary>
    /// <param name="engine">Holds the matrices.</param>
    /// <param name="linear">The layer.</param>
    /// <param name="path">The adapter, for messages.</param>
    /// <exception cref="AdapterFormatException">The parts do not go together.</exception>
    public LinearDelta Finish(IEngine engine, LoadedLinear linear, string path)
    {
        var (outputs, inputs) = (linear.Spec.Outputs, linear.Spec.Inputs);
        if (TermBias is not null && Terms.Count != 1)
        {
            throw Refuse(path, $"a bias of \"{linear.Spec.Module}\" belongs to no pair of factors", [linear.Spec.Module]);
        }

        var scaling = Terms.Count > 0 ? Terms[0].Scaling : 1.0;
        return new LinearDelta
        {
            Terms = [.. Terms.Select(term => new LowRankTerm
            {
                A = engine.Matrix(term.A, term.Rank, inputs),
                B = engine.Matrix(term.B, outputs, term.Rank),
                Scaling = term.Scaling,
                Bias = TermBias is null ? null : engine.Vector([.. TermBias.Select(value => (float)(value * scaling))]),
            })],
            Gains = Magnitude is null ? null : engine.Vector(Gains(engine, linear, path)),
            Replacement = Replacement,
            BiasDelta = TrainedBias is null ? null : engine.Vector(ChangeOfBias(engine, linear, TrainedBias, path)),
        };
    }

    // magnitude / ||W + scaling B A||, row by row (DoRA, arXiv:2402.09353, equation 5).
    private float[] Gains(IEngine engine, LoadedLinear linear, string path)
    {
        if (Terms.Count != 1 || TermBias is not null || Replacement is not null)
        {
            throw Refuse(path, $"\"{linear.Spec.Module}\" combines a magnitude with other changes", [linear.Spec.Module]);
        }

        var (a, b, rank, scaling) = Terms[0];
        var squares = engine.RowSquares(linear.Weight, a, b, rank, scaling);
        return [.. squares.Select((square, row) => (float)(Magnitude![row] / Math.Sqrt(square)))];
    }

    private static float[] ChangeOfBias(IEngine engine, LoadedLinear linear, float[] trained, string path)
    {
        if (linear.Bias is null)
        {
            throw Refuse(path, $"\"{linear.Spec.Module}\" has no bias in the model, the adapter trained one", [linear.Spec.Module]);
        }

        var old = engine.Read(linear.Bias).ToArray();
        return [.. trained.Select((value, i) => value - old[i])];
    }

    /// <summary>An error about an adapter's tensors.</summary>
    public static AdapterFormatException Refuse(string path, string reason, IReadOnlyList<string> tensors) =>
        new($"{path}: {reason}.") { Path = path, Tensors = tensors };
}
