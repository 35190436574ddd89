namespace Sway.Validation;

/// <summary>What testing one adapter found. The names are those of the cmdlet's output and, in camelCase, of the command's JSON.</summary>
public sealed record LoraAdapterTestResult
{
    /// <summary>The adapter's folder or file, absolute. Named so that it binds to other cmdlets' literal paths.</summary>
    public required string FullName { get; init; }

    /// <summary>The folder's name.</summary>
    public required string Name { get; init; }

    /// <summary>Peft, Mlx, Megatron; null when the files could not be read at all.</summary>
    public string? Format { get; init; }

    /// <summary>True when no finding is an error.</summary>
    public bool Passed => ErrorCount == 0;

    /// <summary>The number of errors.</summary>
    public int ErrorCount => Findings.Count(finding => finding.Severity == FindingSeverity.Error);

    /// <summary>The number of warnings.</summary>
    public int WarningCount => Findings.Count(finding => finding.Severity == FindingSeverity.Warning);

    /// <summary>Everything that was found, errors first.</summary>
    public required IReadOnlyList<AdapterFinding> Findings { get; init; }

    /// <summary>The number of adapted modules.</summary>
    public int ModuleCount { get; init; }

    /// <summary>What the programs that read such adapters do with it.</summary>
    public IReadOnlyList<AdapterReaderVerdict> Readers { get; init; } = [];

    /// <summary>The base model's folder that served, or null.</summary>
    public string? BaseModel { get; init; }

    /// <summary>The comparison with the reference; null when none was asked for or possible.</summary>
    public ReferenceComparison? Reference { get; init; }

    /// <summary>Wall time of the test.</summary>
    public double Seconds { get; init; }
}

/// <summary>What one program does with an adapter.</summary>
/// <param name="Reader">The program and its versions.</param>
/// <param name="Loads">True when it loads the adapter and can run it.</param>
/// <param name="IsRight">True when it then computes what the files mean.</param>
/// <param name="Reason">Why not; null when all is well.</param>
public sealed record AdapterReaderVerdict(string Reader, bool Loads, bool IsRight, string? Reason);

/// <summary>How an adapter's deltas compare with those of a reference, module by module.</summary>
public sealed record ReferenceComparison
{
    /// <summary>The reference, absolute.</summary>
    public required string FullName { get; init; }

    /// <summary>True when no module's delta differs by more than the tolerance.</summary>
    public required bool IsSame { get; init; }

    /// <summary>The largest absolute difference of any element of any delta.</summary>
    public required double MaxAbsoluteDifference { get; init; }

    /// <summary>The largest relative difference of any module, in the Frobenius norm.</summary>
    public required double MaxRelativeDifference { get; init; }

    /// <summary>Every module that either adapter changes.</summary>
    public required IReadOnlyList<ModuleDifference> Modules { get; init; }
}

/// <summary>How the deltas of one module compare.</summary>
/// <param name="Module">The module.</param>
/// <param name="In">Both, Adapter or Reference: which one changes the module.</param>
/// <param name="AbsoluteDifference">The largest absolute difference of any element of the scaled deltas (and of the DoRA magnitudes).</param>
/// <param name="RelativeDifference">The Frobenius norm of the difference, relative to that of the reference's delta.</param>
public sealed record ModuleDifference(string Module, string In, double AbsoluteDifference, double RelativeDifference);
