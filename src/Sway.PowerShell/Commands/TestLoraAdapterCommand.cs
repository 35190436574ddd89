using System.Management.Automation;
using Sway.Validation;

namespace Sway.PowerShell.Commands;

/// <summary>Test-LoraAdapter: what is wrong with adapters, and whether they are the function of a reference.</summary>
[Cmdlet(VerbsDiagnostic.Test, "LoraAdapter", DefaultParameterSetName = DefaultSet)]
[OutputType(typeof(LoraAdapterTestResult))]
public sealed class TestLoraAdapterCommand : AdapterCommand
{
    private AdapterTestOptions _options = new();

    /// <summary>An adapter of any format that must be the same function.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    public string? ReferencePath { get; set; }

    /// <summary>The largest relative difference of a module's delta from the reference that still counts as the same.</summary>
    [Parameter]
    [ValidateRange(0.0, double.MaxValue)]
    public double Tolerance { get; set; } = AdapterTestOptions.DefaultTolerance;

    /// <summary>The base model's folder; without it, it is searched for.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? BaseModel { get; set; }

    /// <summary>Do not search for the base model.</summary>
    [Parameter]
    public SwitchParameter NoBaseLookup { get; set; }

    /// <summary>Which adapter, where one folder or file holds several.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? AdapterName { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        if (BaseModel is not null && NoBaseLookup)
        {
            ThrowTerminatingError(ErrorRecords.ParameterConflict(nameof(BaseModel), nameof(NoBaseLookup)));
        }

        string? reference = ReferencePath is null ? null : ResolveFolder(ReferencePath, nameof(ReferencePath), mustExist: false);
        if (reference is not null && !System.IO.Path.Exists(reference))
        {
            ThrowTerminatingError(ErrorRecords.PathNotFound(reference));
        }

        _options = new AdapterTestOptions
        {
            Reference = reference,
            Tolerance = Tolerance,
            BaseModel = BaseModel is null ? null : ResolveFolder(BaseModel, nameof(BaseModel), mustExist: true),
            NoBaseLookup = NoBaseLookup,
            AdapterName = AdapterName,
        };
    }

    /// <inheritdoc/>
    protected override void ProcessAdapter(string fullName, bool isOneOfSeveral)
    {
        if (TryRun(fullName, () => AdapterTester.Test(fullName, _options, StopToken), out LoraAdapterTestResult result))
        {
            WriteObject(result);
        }
    }
}
