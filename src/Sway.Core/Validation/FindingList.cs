using Sway.Adapters;

namespace Sway.Validation;

/// <summary>Collects findings, each once, and decides how much a reason of a refusal weighs.</summary>
internal sealed class FindingList
{
    private readonly List<AdapterFinding> _items = [];
    private readonly HashSet<(string, string)> _seen = [];

    public void Add(AdapterFinding finding)
    {
        if (_seen.Add((finding.Category, finding.Message)))
        {
            _items.Add(finding);
        }
    }

    public void Add(Refusal refusal) => Add(new AdapterFinding(SeverityOf(refusal.Category), refusal.Category.ToString(), refusal.Reason)
    {
        Modules = refusal.Modules,
        Remedy = refusal.Remedy,
    });

    public void AddRange(IEnumerable<Refusal> refusals)
    {
        foreach (Refusal refusal in refusals)
        {
            Add(refusal);
        }
    }

    /// <summary>Adds what an error of any kind says; a refusal gives one finding for each of its reasons.</summary>
    public void Add(SwayException exception)
    {
        if (exception is ConversionRefusedException refused)
        {
            AddRange(refused.Refusals);
            return;
        }

        Add(new AdapterFinding(FindingSeverity.Error, exception.Category, exception.Message) { Modules = exception.Tensors, Remedy = exception.Remedy });
    }

    public bool Has(RefusalCategory category) => _items.Exists(finding => finding.Category == category.ToString());

    public IReadOnlyList<AdapterFinding> ToList() => [.. _items.OrderByDescending(finding => finding.Severity)];

    /// <summary>
    /// Error: the files are damaged, contradict each other or the base, or hold something that nobody can vouch for. Warning: the
    /// adapter is sound, and what it does cannot be said by low-rank factors alone, or not in every format. Information: no fault at all.
    /// </summary>
    internal static FindingSeverity SeverityOf(RefusalCategory category) => category switch
    {
        RefusalCategory.AlreadyMlx or RefusalCategory.AlreadyPeft or RefusalCategory.KeyStyle or RefusalCategory.NeedsBase => FindingSeverity.Information,
        RefusalCategory.MutatedBase or RefusalCategory.PositionDependent or RefusalCategory.Router or RefusalCategory.LayerReplication
            or RefusalCategory.LoraBias or RefusalCategory.BiasTrained or RefusalCategory.ModulesToSave or RefusalCategory.ResizedEmbeddings
            or RefusalCategory.TaskHead or RefusalCategory.TrainableTokens or RefusalCategory.TiedEmbedding or RefusalCategory.TiedHead
            or RefusalCategory.DoraEmbedding or RefusalCategory.DoraExperts or RefusalCategory.ConvolutionTarget or RefusalCategory.VisionTarget
            or RefusalCategory.UnmappableModule or RefusalCategory.ExpertLayout or RefusalCategory.MixedFullTensors or RefusalCategory.FullFineTune
            or RefusalCategory.UnknownArchitecture or RefusalCategory.Megatron => FindingSeverity.Warning,
        _ => FindingSeverity.Error,
    };
}
