using System.Text.Json.Serialization;
using Sway.Adapters;

namespace Sway.Validation;

/// <summary>How much a finding weighs.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FindingSeverity>))]
public enum FindingSeverity
{
    /// <summary>Worth knowing; nothing is wrong.</summary>
    Information,

    /// <summary>The adapter is sound, but something about it will surprise somebody.</summary>
    Warning,

    /// <summary>The adapter is damaged, inconsistent or not the function it is said to be.</summary>
    Error,
}

/// <summary>One thing that testing an adapter found.</summary>
/// <param name="Severity">How much it weighs.</param>
/// <param name="Category">A stable name of its kind: a <see cref="RefusalCategory"/> or one of <see cref="FindingCategory"/>.</param>
/// <param name="Message">What it is, in one sentence.</param>
public sealed record AdapterFinding(FindingSeverity Severity, string Category, string Message)
{
    /// <summary>The tensors or modules that it concerns; empty when it concerns the whole adapter.</summary>
    public IReadOnlyList<string> Modules { get; init; } = [];

    /// <summary>What to do about it; null where nothing needs to be done.</summary>
    public string? Remedy { get; init; }
}

/// <summary>Categories of findings that are no reason to refuse a conversion.</summary>
public static class FindingCategory
{
    /// <summary>The second factor is all zeros, as it is before training.</summary>
    public const string Untrained = nameof(Untrained);

    /// <summary>A DoRA magnitude is zero or negative.</summary>
    public const string Magnitude = nameof(Magnitude);

    /// <summary>The configuration and the tensors say different things.</summary>
    public const string Doubtful = nameof(Doubtful);

    /// <summary>A program does not load the adapter, or computes something else with it.</summary>
    public const string Reader = nameof(Reader);

    /// <summary>The adapter is not the function of the reference.</summary>
    public const string Difference = nameof(Difference);

    /// <summary>Something could not be compared with the reference.</summary>
    public const string NotCompared = nameof(NotCompared);

    /// <summary>The base model was not found, so nothing was compared with it.</summary>
    public const string NoBase = nameof(NoBase);

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } = [Untrained, Magnitude, Doubtful, Reader, Difference, NotCompared, NoBase];
}
