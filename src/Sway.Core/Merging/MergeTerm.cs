using Sway.Tensors;

namespace Sway.Merging;

/// <summary>How a library rounds on the way from factors to the merged weight.</summary>
internal enum MergeRounding
{
    /// <summary>PEFT: factors in float32, the sum rounded once.</summary>
    PeftOnce,

    /// <summary>PEFT's safe merge, and its bare parameters: the delta is rounded, then the sum.</summary>
    PeftDeltaFirst,

    /// <summary>mlx-lm's fuse: the scaled factor, the delta and the sum are each rounded.</summary>
    Mlx,
}

/// <summary>One delta on one stored tensor: <c>weight[row] += scaling * left[row] @ right</c>.</summary>
internal sealed record MergeTerm
{
    /// <summary>(rows, rank), or (experts, rows, rank).</summary>
    public required TensorExpression Left { get; init; }

    /// <summary>(rank, columns), or (experts, rank, columns).</summary>
    public required TensorExpression Right { get; init; }

    public required double Scaling { get; init; }

    public required MergeRounding Rounding { get; init; }

    /// <summary>True when the stored weight is (in, out): the delta's rows are inputs.</summary>
    public bool Transposed { get; init; }

    /// <summary>DoRA's magnitude, one value for each output.</summary>
    public TensorExpression? Magnitude { get; init; }

    /// <summary>The first row of the stored matrix that the delta applies to.</summary>
    public long RowStart { get; init; }

    /// <summary>The distance of these rows.</summary>
    public long RowStep { get; init; } = 1;

    /// <summary>Which part of the columns the delta is for, where several parts lie beside each other; it is zero in the others.</summary>
    public int ColumnPart { get; init; }

    public long Experts => Left.Rank == 3 ? Left.Shape[0] : 1;

    public long Rows => Left.Shape[^2];

    public long Columns => Right.Shape[^1];

    /// <summary>True when the scale multiplies the left factor as mlx-lm's <c>scale * lora_b.T</c> does; for an embedding that
    /// factor is <c>lora_a</c>, which also is the left one.</summary>
    public bool ScalesLeft => Rounding == MergeRounding.Mlx;
}
