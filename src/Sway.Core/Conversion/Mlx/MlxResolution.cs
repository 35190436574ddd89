using Sway.Adapters;
using Sway.Architectures;

namespace Sway.Conversion.Mlx;

/// <summary>What resolving an adapter against its base has found so far: modules, refusals, things left out.</summary>
internal sealed class MlxResolution(LoraAdapter adapter, BaseModel? baseModel, ConversionOptions options)
{
    /// <summary>How the reason of a part begins that the user allowed to be dropped.</summary>
    public const string ByRequest = "left out by request";

    public LoraAdapter Adapter { get; } = adapter;

    public BaseModel? Base { get; } = baseModel;

    public ConversionOptions Options { get; } = options;

    public List<MlxModule> Modules { get; } = [];

    public RefusalList Refusals { get; } = new();

    public List<string> Warnings { get; } = [];

    /// <summary>Source tensors that are not in the output, with the reason.</summary>
    public Dictionary<string, string> LeftOut { get; } = new(StringComparer.Ordinal);

    public HashSet<RefusalCategory> Losses { get; } = [];

    /// <summary>Refuses, or leaves the tensors out where the user allowed that.</summary>
    public void RefuseOrLeaveOut(RefusalCategory category, string reason, string? remedy, params IEnumerable<string> tensors)
    {
        string[] names = [.. tensors];
        if (Options.AllowLoss.Contains(category) && LossCategories.CanBeAllowed(category))
        {
            Losses.Add(category);
            foreach (string name in names)
            {
                LeftOut[name] = $"{ByRequest} ({category}): {reason}";
            }

            return;
        }

        string text = remedy ?? RefusalCatalog.Explain(category).Remedy;
        if (LossCategories.CanBeAllowed(category) && !text.Contains("AllowLoss", StringComparison.Ordinal))
        {
            text += $" Or leave it out: -AllowLoss {category} (--allow-loss {category}).";
        }

        Refusals.Add(new Refusal(category, reason) { Modules = names, Remedy = text });
    }
}
