using Sway.Tensors;

namespace Sway.Conversion.Mlx;

/// <summary>The classes of mlx-lm that take an adapter.</summary>
internal enum MlxModuleKind
{
    Linear,
    Embedding,
    Switch,
}

/// <summary>A delta at its place in mlx-lm's model, still in the neutral orientation: A (r, in), B (out, r), with a leading
/// expert axis for switch layers; for embeddings A (r, vocab), B (dim, r).</summary>
internal sealed record MlxModule
{
    public required string Path { get; init; }

    public required MlxModuleKind Kind { get; init; }

    public required TensorExpression A { get; init; }

    public required TensorExpression B { get; init; }

    public required double Scaling { get; init; }

    public TensorExpression? Magnitude { get; init; }

    public required IReadOnlyList<string> SourceTensors { get; init; }

    /// <summary>What was done to get here, in a few words; empty when the path is the source's own.</summary>
    public string Note { get; init; } = "";

    public int RankAxisOfA => Kind == MlxModuleKind.Switch ? 1 : 0;

    public int RankAxisOfB => Kind == MlxModuleKind.Switch ? 2 : 1;

    public int Rank => checked((int)A.Shape[RankAxisOfA]);
}
