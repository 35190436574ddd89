using Sway.Tensors;

namespace Sway.Adapters.Peft;

/// <summary>LoRA on a linear layer: <c>lora_A (rank, in)</c>, <c>lora_B (out, rank)</c>, and what its variants add.</summary>
internal static class PeftLinearReader
{
    public static LoraModule? Read(PeftModuleTensors module, string owner, int depth, int levels)
    {
        if (!module.TryPair(PeftRole.A, PeftRole.B, out TensorInfo a, out TensorInfo b))
        {
            return null;
        }

        if (a.Sizes.Length != 2 || b.Sizes.Length != 2)
        {
            bool convolution = a.Sizes.Length > 2 && b.Sizes.Length > 2;
            module.Refusals.Add(
                convolution ? RefusalCategory.ConvolutionTarget : RefusalCategory.ShapeMismatch,
                convolution ? "Convolutions are adapted; mlx-lm can adapt none." : $"Factors are not matrices: {a.ShapeText} and {b.ShapeText}.",
                a.Name, b.Name);
            return null;
        }

        string[] parameters = PeftParameterReader.TargetParameters(module.Config, owner);
        int plainRank = module.Config.RankOf(owner);
        bool packed = levels > 1 || depth > 0 || (parameters.Length > 0 && parameters.All(p => module.Config.RankOf($"{owner}.{p}") != a.Sizes[0]));
        string[] roles = module.Config.PeftType switch
        {
            "ADALORA" => [nameof(PeftRole.A), nameof(PeftRole.B), nameof(PeftRole.E)],
            "LORA" when packed => [nameof(PeftRole.A), nameof(PeftRole.B)],
            "LORA" => [nameof(PeftRole.A), nameof(PeftRole.B), nameof(PeftRole.Magnitude)],
            _ => [],
        };
        if (!module.HasOnly(roles))
        {
            return null;
        }

        if (packed)
        {
            return PeftParameterReader.Read(module, owner, depth, levels, parameters, a, b);
        }

        TensorExpression first = module.File.Get(a), second = module.File.Get(b);
        if (module.Config.PeftType == "ADALORA")
        {
            if (!module.Group.TryGetValue(nameof(PeftRole.E), out TensorInfo? e))
            {
                module.Refusals.Add(RefusalCategory.MissingPair, "AdaLoRA modules lack their lora_E.", module.Path);
                return null;
            }

            if (e.ElementCount != a.Sizes[0])
            {
                module.Refusals.Add(RefusalCategory.ShapeMismatch, $"lora_E {e.ShapeText} does not fit lora_A {a.ShapeText}.", module.Path);
                return null;
            }

            first = first.ScaleAxis(0, module.File.Get(e).ToDoubleArray());
        }
        else if (!module.CheckRank(a, Ranks(module, owner, plainRank, parameters)) || !PeftExpansion.TryExpand(module, ref first, ref second))
        {
            return null;
        }

        if (first.Sizes[0] != second.Sizes[1])
        {
            module.Refusals.Add(RefusalCategory.ShapeMismatch, $"The factors do not fit each other: {a.Name} {a.ShapeText}, {b.Name} {b.ShapeText}.", a.Name, b.Name);
            return null;
        }

        string key = parameters is [var parameter] ? $"{owner}.{parameter}" : owner;
        TensorExpression? magnitude = Magnitude(module, second.Sizes[0]);
        int rank = checked((int)first.Sizes[0]);
        return new LoraModule
        {
            Path = owner,
            Naming = ModuleNaming.HuggingFace,
            Kind = LoraModuleKind.Linear,
            Rank = rank,
            Scaling = rank == 0 ? 1 : module.Config.ScalingOf(key, checked((int)a.Sizes[0])),
            A = first,
            B = second,
            Magnitude = magnitude,
            SourceTensors = module.Names,
        };
    }

    private static int[] Ranks(PeftModuleTensors module, string owner, int plainRank, string[] parameters)
    {
        int[] ranks = new int[1 + parameters.Length];
        ranks[0] = plainRank;
        for (int i = 0; i < parameters.Length; i++)
        {
            ranks[i + 1] = module.Config.RankOf($"{owner}.{parameters[i]}");
        }

        return ranks;
    }

    private static TensorExpression? Magnitude(PeftModuleTensors module, long outputs)
    {
        bool stored = module.Group.TryGetValue(nameof(PeftRole.Magnitude), out TensorInfo? magnitude);
        if (!stored && module.Config.UseDora)
        {
            module.Refusals.Add(RefusalCategory.MissingPair, PeftModuleTensors.NoMagnitude, module.Path);
        }

        if (stored && !module.Config.UseDora)
        {
            module.Refusals.Add(
                RefusalCategory.BadConfig,
                "The file holds DoRA magnitudes, but use_dora is not set: PEFT would leave them out, and the adapter would be another one.",
                magnitude!.Name);
        }

        if (!stored)
        {
            return null;
        }

        if (magnitude!.ElementCount != outputs || magnitude.Shape.Count(size => size != 1) > 1)
        {
            module.Refusals.Add(RefusalCategory.ShapeMismatch, $"The magnitude {magnitude.ShapeText} does not fit {outputs} outputs.", magnitude.Name);
            return null;
        }

        TensorExpression value = module.File.Get(magnitude);
        while (value.Rank > 1)
        {
            value = value.Squeeze(value.Sizes[0] == 1 && value.Rank > 1 ? 0 : value.Rank - 1);
        }

        return value;
    }
}
