using System.Management.Automation;
using Sway.Merging;

namespace Sway.PowerShell.Commands;

/// <summary>Compare-LoraAdapter: where two adapters differ, module by module.</summary>
[Cmdlet(VerbsData.Compare, "LoraAdapter", DefaultParameterSetName = DefaultSet)]
[OutputType(typeof(LoraAdapterComparison))]
public sealed class CompareLoraAdapterCommand : AdapterCommand
{
    private ComparisonOptions _options = new();
    private string _reference = "";

    /// <summary>The adapter that each one is compared with.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [Alias("DifferencePath")]
    [ValidateNotNullOrEmpty]
    public string ReferencePath { get; set; } = "";

    /// <summary>The base model's folder; without it, it is searched for.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? BaseModel { get; set; }

    /// <summary>Do not search for the base model.</summary>
    [Parameter]
    public SwitchParameter NoBaseLookup { get; set; }

    /// <summary>Alpha, where an adapter lacks it.</summary>
    [Parameter]
    public double? Alpha { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        if (BaseModel is not null && NoBaseLookup)
        {
            ThrowTerminatingError(ErrorRecords.ParameterConflict(nameof(BaseModel), nameof(NoBaseLookup)));
        }

        RequireFinite(Alpha, nameof(Alpha));
        _reference = ResolveExisting(ReferencePath, nameof(ReferencePath));
        _options = new ComparisonOptions
        {
            BaseModel = BaseModel is null ? null : ResolveFolder(BaseModel, nameof(BaseModel), mustExist: true),
            NoBaseLookup = NoBaseLookup,
            Alpha = Alpha,
        };
    }

    /// <inheritdoc/>
    protected override void ProcessAdapter(string fullName, bool isOneOfSeveral)
    {
        if (!TryRun(fullName, () => AdapterComparer.Compare(fullName, _reference, _options, StopToken), out AdapterComparison comparison))
        {
            return;
        }

        foreach (string warning in comparison.Warnings)
        {
            WriteWarning($"{fullName}: {warning}");
        }

        WriteObject(comparison.Modules, enumerateCollection: true);
    }
}
