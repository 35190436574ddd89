using System.Management.Automation;
using Sway.Merging;

namespace Sway.PowerShell.Commands;

/// <summary>Merge-LoraAdapter: an adapter into its base model, or several adapters into one.</summary>
[Cmdlet(VerbsData.Merge, "LoraAdapter", DefaultParameterSetName = DefaultSet, SupportsShouldProcess = true)]
[OutputType(typeof(AdapterMergeResult))]
public sealed class MergeLoraAdapterCommand : AdapterCommand
{
    private static readonly string[] s_ofSeveral = [nameof(Weight), nameof(Method), nameof(Rank), nameof(Density), nameof(ElectByCount)];
    private static readonly string[] s_ofOne = [nameof(Dequantize), nameof(SafeMerge), nameof(AdapterName)];

    private readonly List<string> _adapters = [];
    private string _destination = "";
    private string? _baseModel;

    /// <summary>The output folder.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [Alias("DestinationPath")]
    [ValidateNotNullOrEmpty]
    public string Destination { get; set; } = "";

    /// <summary>The base model's folder; without it, it is searched for.</summary>
    [Parameter(Position = 2)]
    [ValidateNotNullOrEmpty]
    public string? BaseModel { get; set; }

    /// <summary>The weight of each adapter, in their order; 1 each without it.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public double[] Weight { get; set; } = [];

    /// <summary>How several adapters become one.</summary>
    [Parameter]
    public CombinationMethod Method { get; set; }

    /// <summary>The rank that methods with singular values keep.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int? Rank { get; set; }

    /// <summary>The share of elements that Ties and MagnitudePrune keep.</summary>
    [Parameter]
    [ValidateRange(0.0, 1.0)]
    public double Density { get; set; } = 0.5;

    /// <summary>Let Ties elect a sign by count in place of by sum.</summary>
    [Parameter]
    public SwitchParameter ElectByCount { get; set; }

    /// <summary>Write a quantized base in full precision.</summary>
    [Parameter]
    public SwitchParameter Dequantize { get; set; }

    /// <summary>Round the delta before it is added, as PEFT's safe_merge does.</summary>
    [Parameter]
    public SwitchParameter SafeMerge { get; set; }

    /// <summary>Which adapter, where one folder or file holds several.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? AdapterName { get; set; }

    /// <summary>Alpha, where the source lacks it.</summary>
    [Parameter]
    public double? Alpha { get; set; }

    /// <summary>Replace an output that exists.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        RequireFinite(Alpha, nameof(Alpha));
        Array.ForEach(Weight, weight => RequireFinite(weight, nameof(Weight)));
        _destination = ResolveFolder(Destination, nameof(Destination), mustExist: false);
        _baseModel = BaseModel is null ? null : ResolveFolder(BaseModel, nameof(BaseModel), mustExist: true);
    }

    /// <inheritdoc/>
    protected override void ProcessAdapter(string fullName, bool isOneOfSeveral) => _adapters.Add(fullName);

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        switch (_adapters)
        {
            case []:
                return;
            case [var adapter]:
                Reject(s_ofSeveral, "needs several adapters, and only one was given");
                MergeIntoBase(adapter);
                break;
            default:
                Reject(s_ofOne, "needs a single adapter, and several were given");
                Combine();
                break;
        }
    }

    private void Reject(string[] parameters, string reason)
    {
        if (Array.Find(parameters, MyInvocation.BoundParameters.ContainsKey) is { } given)
        {
            ThrowTerminatingError(ErrorRecords.ParameterInvalid(given, reason));
        }
    }

    private void MergeIntoBase(string adapter)
    {
        var options = new MergeOptions
        {
            BaseModel = _baseModel,
            Dequantize = Dequantize,
            SafeMerge = SafeMerge,
            AdapterName = AdapterName,
            Alpha = Alpha,
            Force = Force,
        };
        Run(
            adapter,
            $"Merge {adapter} into its base model",
            (planned, progress) => AdapterMerger.Merge(adapter, _destination, options with { WhatIf = planned }, progress, StopToken));
    }

    private void Combine()
    {
        if (Weight.Length > 0 && Weight.Length != _adapters.Count)
        {
            ThrowTerminatingError(ErrorRecords.ParameterInvalid(nameof(Weight), $"has {Weight.Length} numbers for {_adapters.Count} adapters"));
        }

        var options = new CombinationOptions
        {
            Method = Method,
            Weights = Weight,
            Rank = Rank,
            Density = Density,
            ElectByCount = ElectByCount,
            BaseModel = _baseModel,
            Alpha = Alpha,
            Force = Force,
        };
        Run(
            _adapters[0],
            $"Combine {string.Join(" and ", _adapters)} by {Method}",
            (planned, progress) => AdapterCombiner.Combine(_adapters, _destination, options with { WhatIf = planned }, progress, StopToken));
    }

    private void Run(string adapter, string action, Func<bool, IProgress<IO.ByteProgress>?, AdapterMergeResult> work)
    {
        // Refusals are found before the question is asked, and under -WhatIf too.
        if (!TryRun(adapter, () => work(true, null), out AdapterMergeResult result)
            || !ShouldProcess(_destination, $"{action} ({result.ModuleCount} modules, {result.TensorCount} tensors)"))
        {
            return;
        }

        using var progress = new ByteProgressBar(this, "Merging", System.IO.Path.GetFileName(_destination));
        if (!TryRun(adapter, () => work(false, progress), out result))
        {
            return;
        }

        progress.Dispose();
        foreach (string warning in result.Warnings)
        {
            WriteWarning($"{result.FullName}: {warning}");
        }

        WriteObject(result);
    }
}
