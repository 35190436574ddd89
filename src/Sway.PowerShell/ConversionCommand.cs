using System.ComponentModel;
using System.Globalization;
using System.Management.Automation;
using Sway.Adapters;
using Sway.Caching;
using Sway.Conversion;
using Sway.PowerShell.Commands;

namespace Sway.PowerShell;

/// <summary>Base of the cmdlets that write adapters in another format.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class ConversionCommand : AdapterCommand
{
    private ConversionOptions _options = new();
    private string? _destination;
    private CacheStore? _cache;

    /// <summary>
    /// The output folder for one adapter; for several (pipeline, wildcard, list) the folder that gets one folder for each.
    /// Without it: a folder beside the source, named after it and the format.
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

    /// <summary>Alpha, where the source lacks it.</summary>
    [Parameter]
    public double? Alpha { get; set; }

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

    /// <summary>What is written, with its article: <c>an mlx-lm adapter</c>.</summary>
    private protected abstract string Product { get; }

    /// <summary>Whether the result goes into the cache, or comes from there.</summary>
    private protected virtual bool IntoCache => false;

    /// <summary>Adds what only one format has to the options.</summary>
    private protected abstract ConversionOptions Complete(ConversionOptions options);

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        if (BaseModel is not null && NoBaseLookup)
        {
            ThrowTerminatingError(ErrorRecords.ParameterConflict(nameof(BaseModel), nameof(NoBaseLookup)));
        }

        if (IntoCache && Destination is not null)
        {
            ThrowTerminatingError(ErrorRecords.ParameterConflict(nameof(Destination), "UseCache"));
        }

        _cache = IntoCache ? CacheCommands.Open(this) : null;
        RequireFinite(Alpha, nameof(Alpha));
        _destination = Destination is null ? null : ResolveFolder(Destination, nameof(Destination), mustExist: false);
        _options = Complete(new ConversionOptions
        {
            BaseModel = BaseModel is null ? null : ResolveFolder(BaseModel, nameof(BaseModel), mustExist: true),
            NoBaseLookup = NoBaseLookup,
            Strict = Strict,
            AdapterName = AdapterName,
            Alpha = Alpha,
            AllowLoss = [.. AllowLoss],
            Force = Force,
            Verify = Verify,
        });
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (_cache is not null)
        {
            new CacheManager(_cache).Limit();
        }
    }

    /// <inheritdoc/>
    protected sealed override void ProcessAdapter(string fullName, bool isOneOfSeveral)
    {
        string output = _cache?.Root ?? ConversionDestination.Of(fullName, _destination, isOneOfSeveral, _options.Target);
        if (!Force && _cache is null && System.IO.Path.Exists(output))
        {
            WriteError(ErrorRecords.OutputExists(output));
            return;
        }

        if (IsWhatIf)
        {
            Foretell(fullName, output);
            return;
        }

        if (!ShouldProcess(output, $"Convert {fullName} to {Product}"))
        {
            return;
        }

        using var progress = new ByteProgressBar(this, "Converting adapter", System.IO.Path.GetFileName(fullName));
        if (!TryRun(
            fullName,
            () => _cache is null
                ? AdapterConverter.Convert(fullName, output, _options, progress, StopToken)
                : new ConversionCache(_cache).Get(fullName, _options, progress, StopToken),
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
        ShouldProcess(output, $"Convert {fullName} to {Product} ({summary})");
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
