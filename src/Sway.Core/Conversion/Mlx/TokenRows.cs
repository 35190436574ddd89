using System.Text.Json;
using Sway.Adapters;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Conversion.Mlx;

/// <summary>
/// trainable_token_indices: PEFT stores replacement rows of the embedding for some token ids. With the base's rows at hand
/// they are exactly an embedding adapter of that rank: one-hot rows times (new - base).
/// </summary>
internal static class TokenRows
{
    public static void Resolve(MlxResolution resolution, AdapterExtra extra)
    {
        if (Indices(resolution.Adapter.Config, extra.Path) is not { } ids || ids.Length != extra.Value.Shape[0])
        {
            resolution.Refusals.Add(RefusalCategory.BadConfig, "The configuration's trainable_token_indices do not fit the stored rows.", extra.Name);
            return;
        }

        if (resolution.Base?.Map is not { } map || resolution.Base.FindWeight(extra.Path) is not { Shape: [var vocabulary, var width] } table
            || !table.DType.IsReadableFloat())
        {
            resolution.RefuseOrLeaveOut(
                RefusalCategory.TrainableTokens,
                "Some rows of the embedding were trained; without the base's rows their change is not known.",
                "Name the base with its weights: -BaseModel (--base).",
                extra.Name);
            return;
        }

        if (ids.Any(id => id < 0 || id >= vocabulary) || ids.Distinct().Count() != ids.Length || width != extra.Value.Shape[1])
        {
            resolution.RefuseOrLeaveOut(RefusalCategory.TrainableTokens, "Trained rows belong to token ids that the base does not have.", null, extra.Name);
            return;
        }

        if (resolution.Base.Tying is null || (resolution.Base.Tying is false && !map.HasHead))
        {
            resolution.RefuseOrLeaveOut(RefusalCategory.TrainableTokens, TiedModels.Unknown, TiedModels.UnknownRemedy, extra.Name);
            return;
        }

        ModuleMatch[] matches = [.. map.Find(extra.Path)];
        if (matches is not [{ Rule: { MlxPath: not null, HasMultipliers: false } rule } match] || resolution.Modules.Any(module => module.Path == rule.MlxPathOf(match.Layer)))
        {
            resolution.RefuseOrLeaveOut(RefusalCategory.TrainableTokens, "Trained rows lie on a module that is adapted otherwise too, or that mlx-lm cannot adapt.", null, extra.Name);
            return;
        }

        TensorExpression rows = resolution.Base.Weights!.Get(table);
        var change = TensorExpression.Computed(extra.Name, [ids.Length, width], () => Change(extra.Value, rows, ids));
        var oneHot = TensorExpression.Computed(extra.Name, [vocabulary, ids.Length], () => OneHot(ids, vocabulary));
        resolution.Modules.Add(new MlxModule
        {
            Path = rule.MlxPathOf(match.Layer),
            Kind = rule.IsEmbedding ? MlxModuleKind.Embedding : MlxModuleKind.Linear,
            A = (rule.IsEmbedding ? oneHot.Transpose() : change).Cast(DType.F32),
            B = (rule.IsEmbedding ? change.Transpose() : oneHot).Cast(DType.F32),
            Scaling = 1,
            SourceTensors = [extra.Name],
            Note = $"{ids.Length} replaced rows as an adapter of rank {ids.Length}",
        });
    }

    private static double[] Change(TensorExpression replacement, TensorExpression table, long[] ids)
    {
        double[] change = replacement.ToDoubleArray();
        int width = (int)table.Shape[1];
        for (int i = 0; i < ids.Length; i++)
        {
            double[] row = table.Slice(0, ids[i], 1).ToDoubleArray();
            for (int k = 0; k < width; k++)
            {
                change[(i * width) + k] -= row[k];
            }
        }

        return change;
    }

    private static double[] OneHot(long[] ids, long vocabulary)
    {
        double[] values = new double[vocabulary * ids.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            values[(ids[i] * ids.Length) + i] = 1;
        }

        return values;
    }

    private static long[]? Indices(JsonElement config, string path)
    {
        if (!config.TryGetProperty("trainable_token_indices", out JsonElement value))
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Object)
        {
            JsonProperty[] named = [.. value.EnumerateObject().Where(entry => path == entry.Name || path.EndsWith("." + entry.Name, StringComparison.Ordinal))];
            if (named is not [var only])
            {
                return null;
            }

            value = only.Value;
        }

        return value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt64(out _))
            ? [.. value.EnumerateArray().Select(item => item.GetInt64())]
            : null;
    }
}
