using Sway.Tensors;

namespace Sway.Adapters.Peft;

/// <summary>LoRA on the bare parameters of a module (target_parameters), whose tensors do not name the parameter.</summary>
internal static class PeftParameterReader
{
    public static LoraModule? Read(PeftModuleTensors module, string owner, int depth, int levels, string[] parameters, TensorInfo a, TensorInfo b)
    {
        if (module.Config.UseDora)
        {
            module.Refusals.Add(RefusalCategory.DoraExperts, "The configuration says DoRA, which PEFT does not have on bare parameters.", a.Name, b.Name);
            return null;
        }

        if (parameters.Length != levels || depth >= levels)
        {
            module.Refusals.Add(
                RefusalCategory.ExpertLayout,
                $"{levels} pairs of factors lie on {owner}, but the configuration's target_parameters name {parameters.Length} of its parameters.",
                a.Name, b.Name);
            return null;
        }

        string parameter = parameters[levels - 1 - depth];
        int rank = module.Config.RankOf($"{owner}.{parameter}");
        if (a.Shape[0] != b.Shape[1] || a.Shape[0] % rank != 0)
        {
            module.Refusals.Add(
                a.Shape[0] != b.Shape[1] ? RefusalCategory.ShapeMismatch : RefusalCategory.RankMismatch,
                $"{a.Name} {a.ShapeText} and {b.Name} {b.ShapeText} do not hold factors of rank {rank} for every expert.",
                a.Name, b.Name);
            return null;
        }

        return new LoraModule
        {
            Path = owner,
            Naming = ModuleNaming.HuggingFace,
            Kind = LoraModuleKind.Experts,
            Packing = ExpertPacking.PeftParameter,
            ParameterName = parameter,
            Rank = rank,
            Scaling = module.Config.ScalingOf($"{owner}.{parameter}", rank),
            A = module.File.Get(a),
            B = module.File.Get(b),
            SourceTensors = [a.Name, b.Name],
        };
    }

    /// <summary>The parameters of a module that target_parameters names, in the order in which models define them.</summary>
    public static string[] TargetParameters(PeftConfig config, string owner)
    {
        if (config.Strings("target_parameters") is not { Count: > 0 } names)
        {
            return [];
        }

        return [.. names
            .Select(name => (Owner: name.Contains('.', StringComparison.Ordinal) ? name[..name.LastIndexOf('.')] : "", Parameter: name[(name.LastIndexOf('.') + 1)..]))
            .Where(target => target.Owner.Length == 0
                ? owner.EndsWith("experts", StringComparison.Ordinal)
                : owner == target.Owner || owner.EndsWith("." + target.Owner, StringComparison.Ordinal))
            .Select(target => target.Parameter)
            .Distinct(StringComparer.Ordinal)
            .OrderBy(parameter => (parameter.Contains("down", StringComparison.Ordinal) || parameter.Contains("output", StringComparison.Ordinal) ? 2 : 0)
                + (parameter.EndsWith("_bias", StringComparison.Ordinal) ? 1 : 0))];
    }
}
