using Sway.Adapters;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Conversion.Mlx;

/// <summary>Decides what becomes of tensors beside the factors: frozen copies are dropped, trained ones are refused.</summary>
internal static class ExtraTensors
{
    private const string NameBase = "Name the base with -BaseModel (--base): what equals it can be left out.";

    public static void Resolve(MlxResolution resolution)
    {
        foreach (AdapterExtra extra in resolution.Adapter.Extras)
        {
            switch (extra.Kind)
            {
                case AdapterExtraKind.TrainingBuffer:
                    resolution.LeftOut[extra.Name] = "a buffer that only training uses";
                    break;
                case AdapterExtraKind.BaseLayerCopy:
                    BaseCopy(resolution, extra);
                    break;
                case AdapterExtraKind.FullWeight:
                    FullWeight(resolution, extra);
                    break;
                case AdapterExtraKind.LoraBias:
                    resolution.RefuseOrLeaveOut(RefusalCategory.LoraBias, "The adapter adds trained biases, which mlx-lm has no place for.", null, extra.Name);
                    break;
                case AdapterExtraKind.BaseBias when EqualsBase(resolution, extra) == true:
                    resolution.LeftOut[extra.Name] = "equal to the base's bias";
                    break;
                case AdapterExtraKind.BaseBias:
                    resolution.RefuseOrLeaveOut(RefusalCategory.BiasTrained, "Biases of the base were trained; mlx-lm's adapters hold none.", null, extra.Name);
                    break;
                case AdapterExtraKind.TokenRows:
                    TokenRows.Resolve(resolution, extra);
                    break;
                default:
                    resolution.RefuseOrLeaveOut(RefusalCategory.UnknownTensor, "Tensors of the file belong to no known part of an adapter.", null, extra.Name);
                    break;
            }
        }
    }

    private static void BaseCopy(MlxResolution resolution, AdapterExtra extra)
    {
        switch (EqualsBase(resolution, extra))
        {
            case true:
                resolution.LeftOut[extra.Name] = "a frozen copy, equal to the base's weight";
                break;
            case null:
                resolution.LeftOut[extra.Name] = "a copy of the base's weight that PEFT keeps frozen";
                break;
            default:
                if (Resized(resolution, extra))
                {
                    resolution.RefuseOrLeaveOut(RefusalCategory.ResizedEmbeddings, "The vocabulary was resized: the stored table has other rows than the base's.", null, extra.Name);
                }
                else
                {
                    resolution.RefuseOrLeaveOut(RefusalCategory.ModulesToSave, "A stored copy of a base weight differs from the base that was found.", NameBase, extra.Name);
                }

                break;
        }
    }

    private static void FullWeight(MlxResolution resolution, AdapterExtra extra)
    {
        if (EqualsBase(resolution, extra) == true)
        {
            resolution.LeftOut[extra.Name] = "equal to the base's weight";
            return;
        }

        string leaf = extra.Path[(extra.Path.LastIndexOf('.') + 1)..];
        if (leaf is "score" or "classifier" or "qa_outputs" or "v_head" or "summary")
        {
            resolution.RefuseOrLeaveOut(RefusalCategory.TaskHead, "The adapter has a head of its own for a task; mlx-lm runs language models.", null, extra.Name);
        }
        else if (Resized(resolution, extra) || (!SavesModule(resolution.Adapter, extra.Path) && (TiedModels.IsHead(extra.Path) || TiedModels.IsTokenTable(extra.Path))))
        {
            resolution.RefuseOrLeaveOut(RefusalCategory.ResizedEmbeddings, "Whole embedding or head tables are stored, as PEFT does when the vocabulary grew.", null, extra.Name);
        }
        else
        {
            resolution.RefuseOrLeaveOut(
                RefusalCategory.ModulesToSave,
                "Whole modules were trained beside the factors (modules_to_save); mlx-lm's adapters cannot hold them.",
                resolution.Base is null ? NameBase : null,
                extra.Name);
        }
    }

    /// <summary>Bit-for-bit comparison of numbers; null when the base has no such weight at hand.</summary>
    private static bool? EqualsBase(MlxResolution resolution, AdapterExtra extra)
    {
        if (Find(resolution, extra) is not { } weight || resolution.Base?.Weights is not { } file || !weight.DType.IsReadableFloat() || !extra.Value.DType.IsReadableFloat())
        {
            return null;
        }

        if (!weight.Shape.SequenceEqual(extra.Value.Shape))
        {
            return false;
        }

        return TensorComparison.AreEqual(file.Get(weight), extra.Value);
    }

    private static TensorInfo? Find(MlxResolution resolution, AdapterExtra extra) => extra.Name.EndsWith(".bias", StringComparison.Ordinal)
        ? resolution.Base?.FindWeight(extra.Path + ".bias")
        : resolution.Base?.FindWeight(extra.Path) is { } weight && !weight.Name.EndsWith(".bias", StringComparison.Ordinal) ? weight : null;

    private static bool Resized(MlxResolution resolution, AdapterExtra extra) =>
        (TiedModels.IsHead(extra.Path) || TiedModels.IsTokenTable(extra.Path))
        && resolution.Base?.VocabularySize is { } vocabulary && extra.Value.Rank == 2 && extra.Value.Shape[0] != vocabulary;

    private static bool SavesModule(LoraAdapter adapter, string path) =>
        adapter.Config.TryGetProperty("modules_to_save", out var names) && names.ValueKind == System.Text.Json.JsonValueKind.Array
        && names.EnumerateArray().Any(name => name.ValueKind == System.Text.Json.JsonValueKind.String && path.EndsWith(name.GetString()!, StringComparison.Ordinal));
}
