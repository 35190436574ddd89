using Sway.Adapters;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Conversion.Peft;

/// <summary>What PEFT wraps.</summary>
internal enum PeftTargetKind
{
    Linear,
    Embedding,

    /// <summary>A bare 2-D parameter (<c>target_parameters</c>).</summary>
    Parameter,

    /// <summary>A bare 3-D parameter of all experts (<c>target_parameters</c>).</summary>
    ExpertParameter,
}

/// <summary>One module or parameter of the Hugging Face model with its low-rank delta.</summary>
internal sealed record PeftTarget
{
    /// <summary>The module's path, or the parameter's with its name.</summary>
    public required string Path { get; init; }

    public required PeftTargetKind Kind { get; init; }

    /// <summary>(rank, in); (rank, vocab) for an embedding; (experts, rank, in) for an expert parameter.</summary>
    public required TensorExpression A { get; init; }

    /// <summary>(out, rank); (dim, rank) for an embedding; (experts, out, rank) for an expert parameter.</summary>
    public required TensorExpression B { get; init; }

    public TensorExpression? Magnitude { get; init; }

    public required int Rank { get; init; }

    public required double Scaling { get; init; }

    /// <summary>The rule of the module map that it came by; null without a base model.</summary>
    public ModuleRule? Rule { get; init; }

    /// <summary>The source tensors that it was made of.</summary>
    public required IReadOnlyList<string> Sources { get; init; }

    public bool IsParameter => Kind is PeftTargetKind.Parameter or PeftTargetKind.ExpertParameter;

    /// <summary>The alpha that gives the scaling with this rank.</summary>
    public double Alpha => Scaling * Rank;
}

/// <summary>The part of a Hugging Face module that one module of the source adapts.</summary>
/// <param name="Path">The Hugging Face path (of the parameter, for a bare one).</param>
/// <param name="Expert">The expert, where the target has a module for each; else -1.</param>
/// <param name="Rule">The rule of the map; null without a base model.</param>
/// <param name="Module">The source's delta.</param>
internal sealed record PeftPiece(string Path, int Expert, ModuleRule? Rule, LoraModule Module)
{
    public TensorExpression A => Expert < 0 ? Module.A : Module.A.Index(0, Expert);

    public TensorExpression B => Expert < 0 ? Module.B : Module.B.Index(0, Expert);

    public RowPart Rows => Rule?.Rows ?? RowPart.All;
}
