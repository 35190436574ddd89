using System.Globalization;
using Sway.Adapters;
using Sway.Adapters.Peft;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Conversion.Mlx;

/// <summary>
/// Expert adapters on bare parameters, as PEFT's parameter wrapper packs them: A (r * E, X) with rows expert-major,
/// B (Y, r * E) with columns rank-major. Which of X and Y is the input depends on PEFT's version and on the parameter's
/// layout; sizes tell it where they differ, recorded facts where they do not, and otherwise the adapter is refused.
/// </summary>
internal static class PackedExperts
{
    public static void Resolve(MlxResolution resolution, ModuleMap map, LoraModule module)
    {
        string path = $"{module.Path}.{module.ParameterName}";
        ModuleMatch[] matches = [.. map.FindParameters(module.Path).Where(match => match.Path.EndsWith("." + module.ParameterName, StringComparison.Ordinal))];
        if (matches.Length == 0)
        {
            resolution.Refusals.Add(RefusalCategory.UnknownModule, $"The model type {map.ModelType} has no such parameter.", path);
            return;
        }

        if (matches[0].Rule.Unmappable is { } reason)
        {
            ModuleResolver.RefuseUnmappable(resolution, reason, module);
            return;
        }

        if (matches[0].Layer >= 0 && resolution.Base!.LayerCount is { } layers && matches[0].Layer >= layers)
        {
            resolution.Refusals.Add(RefusalCategory.UnknownModule, $"The base has only {layers} layers.", path);
            return;
        }

        long experts = module.A.Shape[0] / module.Rank;
        if (matches[0].Rule.Layout == ExpertLayout.None || resolution.Base!.ExpertCount is not { } count || count != experts)
        {
            resolution.Refusals.Add(
                RefusalCategory.ShapeMismatch,
                $"{path} holds factors of rank {module.Rank} for {experts} experts; the base has {resolution.Base!.ExpertCount?.ToString(CultureInfo.InvariantCulture) ?? "none"}.",
                module.SourceTensors);
            return;
        }

        if (InputFirst(resolution, module, matches, WritesHidden(matches[0].Rule), path) is not { } inputFirst)
        {
            return;
        }

        TensorExpression a = module.A.SplitAxis(0, experts);
        TensorExpression b = module.B.SplitAxis(1, module.Rank).Permute(2, 0, 1);
        (TensorExpression first, TensorExpression second) = inputFirst ? (a, b) : (b.Transpose(), a.Transpose());
        if (!CheckParameter(resolution, matches[0], module, second.Shape[1], first.Shape[2]))
        {
            return;
        }

        foreach (ModuleMatch match in matches.DistinctBy(match => match.Rule.MlxPath, StringComparer.Ordinal))
        {
            (TensorExpression own, TensorExpression part) = match.Rule.Rows.IsAll
                ? (first, second)
                : ZeroComponents.Drop(first, ModuleResolver.Rows(second, 1, match.Rule.Rows));
            resolution.Modules.Add(new MlxModule
            {
                Path = match.Rule.MlxPathOf(match.Layer),
                Kind = MlxModuleKind.Switch,
                A = own,
                B = part,
                Scaling = module.Scaling,
                SourceTensors = module.SourceTensors,
                Note = $"unpacked from {path}" + (match.Rule.Rows.IsAll ? "" : $", part {match.Rule.Rows.Index + 1} of {match.Rule.Rows.Of} of its outputs")
                    + (part.Shape[2] < second.Shape[2] ? $", {second.Shape[2] - part.Shape[2]} rank components of zeros left out" : ""),
            });
        }
    }

    private static bool? InputFirst(MlxResolution resolution, LoraModule module, ModuleMatch[] matches, bool writesHidden, string path)
    {
        long x = module.A.Shape[1], y = module.B.Shape[0];
        if (resolution.Base!.HiddenSize is not { } hidden || (x != hidden && y != hidden))
        {
            resolution.Refusals.Add(RefusalCategory.ShapeMismatch, $"Neither side of {path} ({x} and {y}) is the base's width.", module.SourceTensors);
            return null;
        }

        if (x != y)
        {
            return writesHidden ? y == hidden : x == hidden;
        }

        // All parameters of one model are packed alike, so one that is not square tells it of those that are.
        bool[] siblings = [.. resolution.Adapter.Modules.Select(other => BySibling(resolution.Base, other, matches[0].Rule, hidden)).OfType<bool>().Distinct()];
        if (siblings is [var told])
        {
            return told;
        }

        bool?[] answers = [.. Candidates(resolution.Base, matches).Select(rule => BySquareFacts(resolution.Adapter, rule)).Distinct()];
        if (siblings.Length == 0 && answers is [{ } known])
        {
            return known;
        }

        resolution.Refusals.Add(
            RefusalCategory.ExpertLayout,
            $"The factors of {path} are square ({x}), and the file does not say which PEFT layout they have.",
            module.SourceTensors);
        return null;
    }

    private static bool? BySibling(BaseModel model, LoraModule other, ModuleRule rule, long hidden)
    {
        long x = other.A.Shape[^1], y = other.B.Shape[0];
        if (other.Packing != ExpertPacking.PeftParameter || x == y || (x != hidden && y != hidden))
        {
            return null;
        }

        ModuleRule? found = model.Map!.FindParameters(other.Path).Select(match => match.Rule)
            .FirstOrDefault(candidate => candidate.HuggingFacePath.EndsWith("." + other.ParameterName, StringComparison.Ordinal)
                && candidate.TransformersVersion == rule.TransformersVersion);
        return found?.MlxPath is null || found.Layout != rule.Layout || found.MarkedTransposed != rule.MarkedTransposed ? null
            : WritesHidden(found) ? y == hidden : x == hidden;
    }

    private static bool WritesHidden(ModuleRule rule) => rule.MlxPath!.EndsWith(".down_proj", StringComparison.Ordinal) || rule.MlxPath.EndsWith(".fc2", StringComparison.Ordinal);

    /// <summary>The rules that may have held in training. A base that transformers 5 saved was trained with it; an older one may
    /// have been trained with either.</summary>
    private static IEnumerable<ModuleRule> Candidates(BaseModel model, ModuleMatch[] matches)
    {
        bool five = model.Config.TryGetProperty("transformers_version", out var version) && version.ValueKind == System.Text.Json.JsonValueKind.String
            && version.GetString()!.StartsWith("5.", StringComparison.Ordinal);
        return matches.Select(match => match.Rule).Where(rule => rule.TransformersVersion is not 4 || !five);
    }

    private static bool? BySquareFacts(LoraAdapter adapter, ModuleRule rule) => (PackedLayout.IsOld(adapter), rule.Layout) switch
    {
        (null, _) => null,
        (true, ExpertLayout.OutIn) => false,
        (true, _) => true,
        (false, ExpertLayout.OutIn) => true,
        (false, _) => rule.MarkedTransposed,
    };

    private static bool CheckParameter(MlxResolution resolution, ModuleMatch match, LoraModule module, long outputs, long inputs)
    {
        if (resolution.Base!.FindWeight(match.Path) is not { Shape: [_, var middle, var last] })
        {
            return true;
        }

        bool fits = (middle == outputs && last == inputs) || (middle == inputs && last == outputs);
        if (!fits)
        {
            resolution.Refusals.Add(
                RefusalCategory.ShapeMismatch, $"{match.Path} is ({middle}, {last}) for each expert in the base; the factors are for {outputs} x {inputs}.", module.SourceTensors);
        }

        return fits;
    }
}
