using System.Globalization;
using System.Management.Automation;
using Sway.Adapters;
using Sway.Adapters.Mlx.Repair;

namespace Sway.PowerShell.Commands;

/// <summary>Repair-MlxAdapter: completes the configuration of mlx-lm and unsloth adapters from their tensors.</summary>
[Cmdlet(VerbsDiagnostic.Repair, "MlxAdapter", DefaultParameterSetName = DefaultSet, SupportsShouldProcess = true)]
[OutputType(typeof(AdapterRepairResult), typeof(LoraAdapterInfo))]
public sealed class RepairMlxAdapterCommand : AdapterCommand
{
    private const int ShownLength = 60;

    private AdapterRepairOptions _options = new();

    /// <summary>The base model's folder; without it, it is searched for.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    public string? BaseModel { get; set; }

    /// <summary>The factor on the low-rank product that the adapter was trained with.</summary>
    [Parameter]
    public double? Scale { get; set; }

    /// <summary>The base model's number of layers, in place of its configuration.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int? NumLayers { get; set; }

    /// <summary>Rewrite tensors that mlx-lm of today does not load as they are stored.</summary>
    [Parameter]
    public SwitchParameter UpdateLayout { get; set; }

    /// <summary>Give the repaired adapter as Get-LoraAdapterInfo describes it.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        RequireFinite(Scale, nameof(Scale));
        _options = new AdapterRepairOptions
        {
            BaseModel = BaseModel is null ? null : ResolveFolder(BaseModel, nameof(BaseModel), mustExist: true),
            Scale = Scale,
            NumLayers = NumLayers,
            UpdateLayout = UpdateLayout,
        };
    }

    /// <inheritdoc/>
    protected override void ProcessAdapter(string fullName, bool isOneOfSeveral)
    {
        // Planned from headers first, so that -WhatIf and -Confirm can say each field that changes.
        if (!TryRun(
            fullName,
            () => MlxAdapterRepair.Repair(fullName, _options with { WhatIf = true }, StopToken),
            out AdapterRepairResult result))
        {
            return;
        }

        if (result.Changed)
        {
            if (!ShouldProcess(result.FullName, $"Repair ({Describe(result)})")
                || !TryRun(fullName, () => MlxAdapterRepair.Repair(fullName, _options, StopToken), out result))
            {
                return;
            }
        }
        else if (IsWhatIf)
        {
            WriteVerbose($"{result.FullName}: nothing to repair.");
            return;
        }

        Write(result);
    }

    private static string Describe(AdapterRepairResult result) => string.Join(
        "; ",
        result.Fields.Select(field => string.Create(
            CultureInfo.InvariantCulture, $"{field.Name}: {Short(field.Before) ?? "absent"} -> {Short(field.After) ?? "removed"}, from {field.Origin}"))
            .Concat(result.TensorChanges));

    private static string? Short(string? text) => text is { Length: > ShownLength } ? text[..(ShownLength - 3)] + "..." : text;

    private void Write(AdapterRepairResult result)
    {
        foreach (string warning in result.Warnings)
        {
            WriteWarning($"{result.FullName}: {warning}");
        }

        if (!PassThru)
        {
            WriteObject(result);
        }
        else if (TryRun(result.FullName, () => AdapterInspector.Inspect(result.FullName, cancellationToken: StopToken), out LoraAdapterInfo info))
        {
            WriteObject(info);
        }
    }
}
