namespace Sway.Architectures;

/// <summary>How a bare 3-D expert parameter is laid out.</summary>
public enum ExpertLayout
{
    /// <summary>Not a 3-D parameter.</summary>
    None,

    /// <summary>(experts, out, in).</summary>
    OutIn,

    /// <summary>(experts, in, out).</summary>
    InOut,
}

/// <summary>Which rows of a Hugging Face module's output an mlx-lm module holds: every row by default.</summary>
/// <param name="Index">The part's number, or the first row of an interleaved one.</param>
/// <param name="Of">The number of parts; 1 for all rows.</param>
/// <param name="Interleaved">True when the part is every <paramref name="Of"/>-th row.</param>
public readonly record struct RowPart(int Index, int Of, bool Interleaved)
{
    /// <summary>All rows.</summary>
    public static RowPart All => new(0, 1, false);

    /// <summary>True when it is all rows.</summary>
    public bool IsAll => Of <= 1;
}

/// <summary>One line of the module map: where one Hugging Face module is in mlx-lm's model.</summary>
public sealed record ModuleRule
{
    /// <summary>The Hugging Face path; <c>*</c> is a layer, <c>#</c> an expert, <c>**</c> any rest.</summary>
    public required string HuggingFacePath { get; init; }

    /// <summary>The mlx-lm path, or null where nothing takes an adapter.</summary>
    public string? MlxPath { get; init; }

    /// <summary>Why nothing takes an adapter; null where something does.</summary>
    public string? Unmappable { get; init; }

    /// <summary>An embedding table.</summary>
    public bool IsEmbedding { get; init; }

    /// <summary>A linear layer whose Hugging Face weight is stored (in, out).</summary>
    public bool IsConv1D { get; init; }

    /// <summary>A bare 2-D parameter: the path's last part is the parameter's name.</summary>
    public bool IsParameter { get; init; }

    /// <summary>A linear layer of one expert, stacked with the others in mlx-lm.</summary>
    public bool IsPerExpert { get; init; }

    /// <summary>The layout of a bare 3-D expert parameter.</summary>
    public ExpertLayout Layout { get; init; }

    /// <summary>True where transformers marks the parameter as transposed, which PEFT 0.19 and later heed.</summary>
    public bool MarkedTransposed { get; init; }

    /// <summary>The only major version of transformers it holds for; null for all.</summary>
    public int? TransformersVersion { get; init; }

    /// <summary>The rows it holds.</summary>
    public RowPart Rows { get; init; } = RowPart.All;

    /// <summary>True where mlx-lm multiplies the weight by factors of the configuration.</summary>
    public bool HasMultipliers { get; init; }

    /// <summary>Compares a path, part by part. Numbers must be written without leading zeros.</summary>
    /// <param name="path">A Hugging Face path.</param>
    /// <param name="layer">The layer's number, or -1.</param>
    /// <param name="expert">The expert's number, or -1.</param>
    public bool Matches(string path, out int layer, out int expert) => ModulePath.Match(HuggingFacePath, path, out layer, out expert);

    /// <summary>The mlx-lm path with its numbers.</summary>
    public string MlxPathOf(int layer) => ModulePath.Fill(MlxPath!, layer, -1);
}
