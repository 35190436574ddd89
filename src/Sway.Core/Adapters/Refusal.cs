namespace Sway.Adapters;

/// <summary>Why an adapter, or a part of it, cannot be used faithfully. The names are stable: scripts and
/// <c>-AllowLoss</c> use them.</summary>
public enum RefusalCategory
{
    /// <summary>A file's bytes are not what its format demands.</summary>
    BadFile,
    BadConfig,
    MissingConfig,
    MissingWeights,
    AlreadyMlx,
    AlreadyPeft,
    AmbiguousFormat,
    AmbiguousAdapterName,
    UnsupportedPeftType,
    UnsupportedDType,
    UnsafePickle,
    UnknownTensor,
    UnknownModule,
    UnknownArchitecture,
    DuplicateModule,
    MissingPair,
    MissingTensors,
    RankMismatch,
    ShapeMismatch,
    NonFinite,
    MutatedBase,
    PositionDependent,
    Router,
    LayerReplication,
    Megatron,
    LoraBias,
    BiasTrained,
    ModulesToSave,
    ResizedEmbeddings,
    TaskHead,
    TrainableTokens,
    TiedEmbedding,
    TiedHead,
    DoraEmbedding,
    DoraExperts,
    MixedDora,
    ConvolutionTarget,
    VisionTarget,
    UnmappableModule,
    ExpertLayout,
    MixedFullTensors,
    FullFineTune,
    MissingScale,
    KeyStyle,
    NeedsBase,
}

/// <summary>One reason against an exact result.</summary>
/// <param name="Category">The stable kind.</param>
/// <param name="Reason">What is wrong, in one sentence.</param>
public sealed record Refusal(RefusalCategory Category, string Reason)
{
    /// <summary>Every tensor or module that it concerns.</summary>
    public IReadOnlyList<string> Modules { get; init; } = [];

    /// <summary>What to try next, in one sentence: of this case, else of the category.</summary>
    [System.Diagnostics.CodeAnalysis.AllowNull]
    public string Remedy
    {
        get => field ?? RefusalCatalog.Explain(Category).Remedy;
        init;
    }

    /// <summary>True where the factors' initialisation stands in the base, which a conversion can take out again: the deltas
    /// as they are stored belong to a changed base, and whoever uses them as they are is wrong.</summary>
    internal bool IsInitialisation { get; init; }
}
