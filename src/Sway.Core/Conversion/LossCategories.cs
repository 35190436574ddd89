using System.Collections.Frozen;
using Sway.Adapters;

namespace Sway.Conversion;

/// <summary>The refusals that a user may turn into a recorded loss: those where dropping a part leaves a working adapter.</summary>
public static class LossCategories
{
    private static readonly FrozenSet<RefusalCategory> s_allowed = FrozenSet.Create(
        RefusalCategory.LoraBias,
        RefusalCategory.BiasTrained,
        RefusalCategory.ModulesToSave,
        RefusalCategory.ResizedEmbeddings,
        RefusalCategory.TaskHead,
        RefusalCategory.TrainableTokens,
        RefusalCategory.VisionTarget,
        RefusalCategory.ConvolutionTarget,
        RefusalCategory.UnmappableModule,
        RefusalCategory.UnknownTensor,
        RefusalCategory.MissingTensors,
        RefusalCategory.TiedEmbedding,
        RefusalCategory.TiedHead);

    /// <summary>All of them, in the order of the enumeration.</summary>
    public static IEnumerable<RefusalCategory> All => s_allowed.Order();

    /// <summary>True for a category that <c>-AllowLoss</c> accepts.</summary>
    public static bool CanBeAllowed(RefusalCategory category) => s_allowed.Contains(category);
}
