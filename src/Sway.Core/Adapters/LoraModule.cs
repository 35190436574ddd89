using Sway.Tensors;

namespace Sway.Adapters;

/// <summary>What a module of the base model is, as far as a low-rank delta is concerned.</summary>
public enum LoraModuleKind
{
    /// <summary>A linear layer with weight (out, in).</summary>
    Linear,

    /// <summary>An embedding table with weight (vocab, dim).</summary>
    Embedding,

    /// <summary>A stack of expert weights (experts, out, in).</summary>
    Experts,
}

/// <summary>Whose module names a path is written in.</summary>
public enum ModuleNaming
{
    HuggingFace,
    Mlx,
    Megatron,
}

/// <summary>
/// One low-rank delta on one module, in the one form that all readers produce and all writers and engines take:
/// delta = <see cref="Scaling"/> * B @ A.
/// </summary>
public sealed record LoraModule
{
    /// <summary>The module's path in the base model, for example <c>model.layers.0.self_attn.q_proj</c>; no wrapper prefix.
    /// For experts written per parameter, the path of the module that owns the parameter.</summary>
    public required string Path { get; init; }

    /// <summary>Whose names <see cref="Path"/> uses.</summary>
    public required ModuleNaming Naming { get; init; }

    /// <summary>What kind of module it is.</summary>
    public required LoraModuleKind Kind { get; init; }

    /// <summary>The factor on B @ A, of this module's own alpha and rank.</summary>
    public required double Scaling { get; init; }

    /// <summary>The first factor. Linear: (rank, in). Embedding: (rank, vocab). Experts: (experts, rank, in), or the packed
    /// form that <see cref="Packing"/> names.</summary>
    public required TensorExpression A { get; init; }

    /// <summary>The second factor. Linear: (out, rank). Embedding: (dim, rank); the delta of the table is (B @ A)^T.
    /// Experts: (experts, out, rank), or packed.</summary>
    public required TensorExpression B { get; init; }

    /// <summary>DoRA's magnitude: (out) for a linear layer, as PEFT stores it; null without DoRA.</summary>
    public TensorExpression? Magnitude { get; init; }

    /// <summary>How expert factors are packed; <see cref="ExpertPacking.None"/> for everything that is not packed.</summary>
    public ExpertPacking Packing { get; init; }

    /// <summary>For an adapter on a bare parameter: the parameter's name in its module (<c>gate_up_proj</c>), when known.</summary>
    public string? ParameterName { get; init; }

    /// <summary>For an embedding: whether the delta also changes a head that shares the table.</summary>
    public bool AlsoChangesTiedHead { get; init; }

    /// <summary>The names of the tensors in the source files that this module was made of.</summary>
    public required IReadOnlyList<string> SourceTensors { get; init; }

    /// <summary>The rank, of the factors as they are (for packed experts, the rank of one expert).</summary>
    public required int Rank { get; init; }
}

/// <summary>How the factors of all experts lie in two matrices.</summary>
public enum ExpertPacking
{
    /// <summary>Not packed.</summary>
    None,

    /// <summary>PEFT's parameter wrapper on a 3-D parameter: one factor (rank * experts, X) with expert-major rows, the other
    /// (Y, rank * experts) with rank-major columns. Which of X and Y is in and out depends on the PEFT version and the
    /// model class; only the conversion, which knows the base, can say.</summary>
    PeftParameter,
}
