using System.Globalization;
using System.Management.Automation;
using Sway.Adapters;
using Sway.Conversion;

namespace Sway.PowerShell.Commands;

/// <summary>ConvertTo-MlxAdapter: adapters into the form that mlx-lm and mlx-swift-lm load.</summary>
[Cmdlet(VerbsData.ConvertTo, "MlxAdapter", DefaultParameterSetName = DefaultSet, SupportsShouldProcess = true)]
[OutputType(typeof(AdapterConversionResult))]
public sealed class ConvertToMlxAdapterCommand : AdapterCommand
{
    private ConversionOptions _options = new();
    private string? _destination;

    /// <summary>
    /// The output folder for one adapter; for several (pipeline, wildcard, list) the folder that gets one folder for each.
    /// Without it: <c>NAME-mlx</c> beside the source.
    /// </summary>
    [Parameter(Position = 1)]
    [Alias("DestinationPath")]
    [ValidateNotNullOrEmpty]
    public string? Destination { get; set; }

    /// <summary>The base model's folder; without it, it is searched for.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? BaseModel { get; set; }

    /// <summary>Do not search for the base model.</summary>
    [Parameter]
    public SwitchParameter NoBaseLookup { get; set; }

    /// <summary>Refuse where an assumption would be made under a warning.</summary>
    [Parameter]
    public SwitchParameter Strict { get; set; }

    /// <summary>Which adapter, where one folder or file holds several.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? AdapterName { get; set; }

    /// <summary>The adapter as it was at initialisation (PiSSA, OLoRA, CorDA, LoRA-GA).</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? InitialAdapter { get; set; }

    /// <summary>How the output names modules.</summary>
    [Parameter]
    public KeyStyle KeyStyle { get; set; }

    /// <summary>Kinds of content that may be dropped.</summary>
    [Parameter]
    [ValidateNotNull]
    public RefusalCategory[] AllowLoss { get; set; } = [];

    /// <summary>Replace an output that exists.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Read the output back and compare every module's delta with the source's.</summary>
    [Parameter]
    public SwitchParameter Verify { get; set; }

    private bool IsWhatIf => MyInvocation.BoundParameters.TryGetValue("WhatIf", out object? bound)
        ? ((SwitchParameter)bound).IsPresent
        : LanguagePrimitives.IsTrue(GetVariableValue("WhatIfPreference"));

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        if (BaseModel is not null && NoBaseLookup)
        {
            ThrowTerminatingError(ErrorRecords.ParameterConflict(nameof(BaseModel), nameof(NoBaseLookup)));
        }

        _destination = Destination is null ? null : ResolveFolder(Destination, nameof(Destination), mustExist: false);
        _options = new ConversionOptions
        {
            Target = ConversionTarget.Mlx,
            BaseModel = BaseModel is null ? null : ResolveFolder(BaseModel, nameof(BaseModel), mustExist: true),
            NoBaseLookup = NoBaseLookup,
            Strict = Strict,
            AdapterName = AdapterName,
            InitialAdapter = InitialAdapter is null
                ? null
                : ResolveFolder(InitialAdapter, nameof(InitialAdapter), mustExist: true),
            KeyStyle = KeyStyle,
            AllowLoss = [.. AllowLoss],
            Force = Force,
            Verify = Verify,
        };
    }

    /// <inheritdoc/>
    protected override void ProcessAdapter(string fullName, bool isOneOfSeveral)
    {
        string output = ConversionDestination.Of(fullName, _destination, isOneOfSeveral, _options.Target);
        if (!Force && System.IO.Path.Exists(output))
        {
            WriteError(ErrorRecords.OutputExists(output));
            return;
        }

        if (IsWhatIf)
        {
            Foretell(fullName, output);
            return;
        }

        if (!ShouldProcess(output, $"Convert {fullName} to an mlx-lm adapter"))
        {
            return;
        }

        using var progress = new ConversionProgress(this, System.IO.Path.GetFileName(fullName));
        if (!TryRun(
            fullName,
            () => AdapterConverter.Convert(fullName, output, _options, progress, StopToken),
            out AdapterConversionResult result))
        {
            return;
        }

        progress.Dispose();
        WriteNotes(result);
        WriteObject(result);
    }

    /// <summary>Plans from headers alone, so that -WhatIf also tells what would be refused.</summary>
    private void Foretell(string fullName, string output)
    {
        if (!TryRun(fullName, () => Plan(fullName), out AdapterConversionResult plan))
        {
            return;
        }

        string summary = $"{plan.Method}, rank {plan.Rank}, scale {plan.Scale.ToString(CultureInfo.InvariantCulture)}, "
            + $"{plan.ModuleCount} modules, {string.Join(", ", plan.DTypes)}";
        string action = $"Convert {fullName} to an mlx-lm adapter ({summary})";
        ShouldProcess(output, action);
    }

    private AdapterConversionResult Plan(string fullName)
    {
        using ConversionPlan plan = AdapterConverter.Plan(fullName, _options, StopToken);
        return plan.Summary;
    }

    private void WriteNotes(AdapterConversionResult result)
    {
        WriteVerbose($"{result.Source}: base model {result.BaseModel ?? "not used"} ({result.BaseSource}), "
            + $"{result.ModuleCount} modules, rank {result.Rank}, {(result.Baked ? "padded or multiplied" : "bits kept")}.");
        foreach (string warning in result.Warnings)
        {
            WriteWarning($"{result.Source}: {warning}");
        }
    }
}
