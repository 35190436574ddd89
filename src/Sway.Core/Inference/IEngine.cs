namespace Sway.Inference;

/// <summary>Activations on an engine: (rows, width).</summary>
public abstract class EngineTensor(int rows, int width) : IDisposable
{
    /// <summary>Number of rows.</summary>
    public int Rows { get; } = rows;

    /// <summary>Elements of a row.</summary>
    public int Width { get; } = width;

    /// <summary>Gives the memory back; a second time does nothing.</summary>
    public abstract void Dispose();
}

/// <summary>A weight on an engine.</summary>
public abstract class EngineWeight;

/// <summary>Heads inside the rows of activations.</summary>
/// <param name="Tensor">The activations.</param>
/// <param name="Offset">First element of head 0.</param>
/// <param name="Stride">Distance of heads in elements.</param>
/// <param name="Heads">Number of heads.</param>
/// <param name="Size">Elements of a head.</param>
public readonly record struct HeadView(EngineTensor Tensor, int Offset, int Stride, int Heads, int Size);

/// <summary>A low-rank term of a linear layer for one range of rows.</summary>
public sealed class LowRankTerm
{
    /// <summary>(rank, inputs).</summary>
    public required EngineWeight A { get; init; }

    /// <summary>(outputs, rank).</summary>
    public required EngineWeight B { get; init; }

    /// <summary>Factor on B A x.</summary>
    public required double Scaling { get; init; }

    /// <summary>First output that the term adds to.</summary>
    public int FirstOutput { get; init; }

    /// <summary>Added to the outputs, already times the scaling; or null.</summary>
    public EngineWeight? Bias { get; init; }
}

/// <summary>What one view adds to a linear layer.</summary>
public sealed class LinearDelta
{
    /// <summary>Low-rank terms, in order.</summary>
    public IReadOnlyList<LowRankTerm> Terms { get; init; } = [];

    /// <summary>A factor for each output on W x + terms (DoRA: magnitude over norm), or null.</summary>
    public EngineWeight? Gains { get; init; }

    /// <summary>A matrix in the place of W, or null.</summary>
    public EngineWeight? Replacement { get; init; }

    /// <summary>Added to the bias, or null.</summary>
    public EngineWeight? BiasDelta { get; init; }
}

/// <summary>Rows of one view and what the view adds there.</summary>
/// <param name="FirstRow">First row.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Delta">What is added.</param>
/// <param name="Strength">0 = nothing, 1 = all.</param>
public readonly record struct DeltaRange(int FirstRow, int Rows, LinearDelta Delta, double Strength);

/// <summary>
/// The operations that decoders are made of. An engine owns its tensors and weights; each operation returns a new tensor or changes
/// its first argument where the name says so.
/// </summary>
public interface IEngine : IDisposable
{
    /// <summary>The engine's name as results give it.</summary>
    string Name { get; }

    /// <summary>Everything of the engine that the bits of its numbers depend on: kernels, library, device, precision.</summary>
    string Identity { get; }

    /// <summary>Whether products read the base weights where the store maps them; false for an engine that has copies.</summary>
    bool ReadsMappedWeights { get; }

    /// <summary>
    /// Rows of a layer beyond which it had better run for one part of them after the other; <see cref="int.MaxValue"/> where that gains
    /// nothing.
    /// </summary>
    int RowsTogether { get; }

    /// <summary>Runs a body where the engine's other methods may be called: MLX belongs to one thread.</summary>
    T Execute<T>(Func<T> body);

    /// <summary>Stops the operations of the present run; looked at inside every long one.</summary>
    CancellationToken Cancellation { get; set; }

    /// <summary>Gives memory back that is not needed when tensors of no more than so many bytes follow beside those there are.</summary>
    void Shrink(long bytes);

    /// <summary>Takes back the tensors that an interrupted run left; none of them may be used any more.</summary>
    void Reclaim();

    /// <summary>A matrix (outputs, inputs) from the base weights.</summary>
    EngineWeight Matrix(WeightStore store, LinearSpec spec);

    /// <summary>One projection of every expert.</summary>
    IReadOnlyList<EngineWeight> ExpertMatrices(WeightStore store, ExpertLinearSpec spec, int experts);

    /// <summary>A vector of the base weights, or a slice of a larger tensor, in float32.</summary>
    EngineWeight Vector(WeightStore store, string name, long first, int count);

    /// <summary>A matrix from values (row-major) that the engine keeps; nobody changes them afterwards.</summary>
    EngineWeight Matrix(float[] values, int outputs, int inputs);

    /// <summary>A vector from values that the engine keeps.</summary>
    EngineWeight Vector(float[] values);

    /// <summary>Sum of squares of each row of W + scaling * B A, in double (DoRA).</summary>
    double[] RowSquares(EngineWeight matrix, float[]? a, float[]? b, int rank, double scaling);

    /// <summary>Rows of an embedding matrix.</summary>
    EngineTensor Embed(EngineWeight matrix, ReadOnlySpan<int> ids);

    /// <summary>y = W x + b, with what each view adds to its rows.</summary>
    EngineTensor Linear(EngineTensor x, EngineWeight weight, EngineWeight? bias, ReadOnlySpan<DeltaRange> deltas);

    /// <summary>
    /// Says what views will add to several linear layers that follow and all read x, before the first of them: an engine may prepare for
    /// them together. Changes no result.
    /// </summary>
    void Expect(EngineTensor x, ReadOnlySpan<DeltaRange> deltas)
    {
    }

    /// <summary>The rows of a list, in its order.</summary>
    /// <param name="parts">Tensors of the same width, whose rows are counted one tensor after the other.</param>
    /// <param name="rows">The rows.</param>
    EngineTensor Gather(IReadOnlyList<EngineTensor> parts, ReadOnlySpan<int> rows);

    /// <summary>All rows of x, so many times one after the other. x is used up.</summary>
    EngineTensor Repeat(EngineTensor x, int times);

    /// <summary>The norm of each row.</summary>
    EngineTensor Norm(EngineTensor x, NormKind kind, double epsilon, EngineWeight? weight, EngineWeight? bias);

    /// <summary>Norms heads in place.</summary>
    void NormHeads(HeadView heads, NormKind kind, double epsilon, EngineWeight? weight, HeadNormScope scope);

    /// <summary>Rotates the first dimensions of heads in place.</summary>
    void Rope(HeadView heads, RopeTable table, bool interleaved, BatchLayout layout);

    /// <summary>Multiplies heads in place by a factor for each row.</summary>
    void ScaleRows(HeadView heads, ReadOnlySpan<float> factors);

    /// <summary>Softmax attention of every lane over its cached and present keys; appends to the cache where there is one.</summary>
    EngineTensor Attention(HeadView query, HeadView key, HeadView value, AttentionRule rule, EngineWeight? sinks, BatchLayout layout, int layer);

    /// <summary>x[row, head] *= sigmoid(gate[row, head]) in place.</summary>
    void GateBySigmoid(EngineTensor x, HeadView gate);

    /// <summary>Keys of latent attention: each head's own part, then the rotary part that all share.</summary>
    EngineTensor JoinKeys(HeadView own, HeadView shared);

    /// <summary>Columns of x as a tensor of their own.</summary>
    EngineTensor Columns(EngineTensor x, int first, int count);

    /// <summary>act(gate) * up. Nobody else uses gate and up afterwards: the engine may let the result take their place.</summary>
    EngineTensor Gated(EngineTensor gate, int gateFirst, EngineTensor up, int upFirst, int width, Activation activation);

    /// <summary>act(x) in place.</summary>
    void Activate(EngineTensor x, Activation activation);

    /// <summary>x += factor * y in place.</summary>
    void Add(EngineTensor x, EngineTensor y, double factor);

    /// <summary>x[firstRow ...] += factor * y in place.</summary>
    void AddRows(EngineTensor x, int firstRow, EngineTensor y, double factor);

    /// <summary>x[firstRow ...] = x + strength * (y - x) in place; y itself for strength 1.</summary>
    void Blend(EngineTensor x, int firstRow, EngineTensor y, double strength);

    /// <summary>x *= factor in place.</summary>
    void Scale(EngineTensor x, double factor);

    /// <summary>x = cap * tanh(x / cap) in place.</summary>
    void SoftCap(EngineTensor x, double cap);

    /// <summary>Each row of x times the sigmoid of the one number in the same row of gate, in place.</summary>
    void ScaleBySigmoid(EngineTensor x, EngineTensor gate);

    /// <summary>Routed experts: the weighted sum of the chosen experts' results for each row.</summary>
    EngineTensor Experts(EngineTensor x, EngineTensor routerLogits, ExpertsWeights weights, IReadOnlyList<ExpertDeltaRange> deltas);

    /// <summary>Gated short convolution over (B, C, x).</summary>
    EngineTensor ShortConvolution(EngineTensor projected, EngineWeight kernel, EngineWeight? bias, int taps, BatchLayout layout, int layer);

    /// <summary>Causal convolution, silu, and the gated delta rule; the result is not yet normed or gated.</summary>
    EngineTensor DeltaRule(
        EngineTensor projected, EngineTensor beta, EngineTensor decay, DeltaRuleWeights weights, BatchLayout layout, int layer);

    /// <summary>Norms each head of x and multiplies it by silu(gate), in place.</summary>
    void NormThenGate(EngineTensor x, EngineTensor gate, int headSize, double epsilon, EngineWeight weight);

    /// <summary>The first row with a number that is not finite, or -1.</summary>
    int FirstNonFiniteRow(EngineTensor x);

    /// <summary>Reads a vector.</summary>
    ReadOnlySpan<float> Read(EngineWeight vector);

    /// <summary>Whether a weight holds only finite numbers.</summary>
    bool IsFinite(EngineWeight weight);

    /// <summary>Has all rows computed, which may have been put off: from now on any thread may read them.</summary>
    void Settle(EngineTensor x);

    /// <summary>Reads a row; on other threads than the run's own only of settled tensors.</summary>
    ReadOnlySpan<float> Row(EngineTensor x, int row);

    /// <summary>Calls a function for 0 ... count-1 on the engine's threads.</summary>
    void ForEach(int count, Action<int> body);
}

/// <summary>Weights of routed experts.</summary>
public sealed class ExpertsWeights
{
    /// <summary>What they belong to.</summary>
    public required ExpertsSpec Spec { get; init; }

    /// <summary>For each input projection, the matrices of all experts.</summary>
    public required IReadOnlyList<IReadOnlyList<EngineWeight>> Inputs { get; init; }

    /// <summary>For each input projection, the biases (experts * outputs), or null.</summary>
    public required IReadOnlyList<EngineWeight?> InputBiases { get; init; }

    /// <summary>The matrices out of all experts.</summary>
    public required IReadOnlyList<EngineWeight> Down { get; init; }

    /// <summary>The biases (experts * outputs), or null.</summary>
    public EngineWeight? DownBias { get; init; }

    /// <summary>The router's selection bias, or null.</summary>
    public EngineWeight? SelectionBias { get; init; }
}

/// <summary>What one view adds to routed experts.</summary>
/// <param name="FirstRow">First row of the view.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Inputs">For each expert, terms of the input projections' joint outputs; or null.</param>
/// <param name="Down">For each expert, terms of the output projection; or null.</param>
/// <param name="Strength">0 = nothing, 1 = all.</param>
public sealed record ExpertDeltaRange(
    int FirstRow, int Rows, IReadOnlyList<LinearDelta?> Inputs, IReadOnlyList<LinearDelta?> Down, double Strength);

/// <summary>Weights of a gated delta rule.</summary>
public sealed class DeltaRuleWeights
{
    /// <summary>What they belong to.</summary>
    public required DeltaRuleSpec Spec { get; init; }

    /// <summary>(width, taps).</summary>
    public required EngineWeight Kernel { get; init; }

    /// <summary>One for each value head.</summary>
    public required EngineWeight LogA { get; init; }

    /// <summary>One for each value head.</summary>
    public required EngineWeight StepBias { get; init; }
}
