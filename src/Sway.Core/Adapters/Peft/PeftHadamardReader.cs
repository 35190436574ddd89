using Sway.Tensors;

namespace Sway.Adapters.Peft;

/// <summary>LoHa on a linear layer: the element-wise product of two low-rank products is one of the squared rank.</summary>
internal static class PeftHadamardReader
{
    private const int MaximumRank = 256;

    public static LoraModule? Read(PeftModuleTensors module)
    {
        if (module.Group.ContainsKey("hada_t1") || module.Group.ContainsKey("hada_t2"))
        {
            module.Refusals.Add(RefusalCategory.ConvolutionTarget, "LoHa on a convolution (hada_t1, hada_t2) is no matrix product.", module.Path);
            return null;
        }

        string[] names = ["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"];
        if (names.Any(name => !module.Group.ContainsKey(name)))
        {
            module.Refusals.Add(RefusalCategory.MissingPair, "LoHa modules lack one of their four factors.", module.Names);
            return null;
        }

        if (!module.HasOnly(module.Config.PeftType == "LOHA" ? names : []))
        {
            return null;
        }

        TensorInfo[] w = [.. names.Select(name => module.Group[name])];
        bool fits = w.All(t => t.Shape.Length == 2) && w[0].Shape[1] == w[1].Shape[0] && w[2].Shape[1] == w[3].Shape[0]
            && w[0].Shape[0] == w[2].Shape[0] && w[1].Shape[1] == w[3].Shape[1] && w[0].Shape[1] == w[2].Shape[1];
        if (!fits)
        {
            module.Refusals.Add(RefusalCategory.ShapeMismatch, "LoHa's factors do not fit each other.", [.. w.Select(t => t.Name)]);
            return null;
        }

        if (!module.CheckRank(w[1], module.Config.RankOf(module.Path)))
        {
            return null;
        }

        int rank = checked((int)w[1].Shape[0]);
        if (rank > MaximumRank)
        {
            module.Refusals.Add(
                RefusalCategory.UnsupportedPeftType, $"LoHa of rank {rank} is a LoRA of rank {(long)rank * rank}, larger than the weights it changes.", module.Path);
            return null;
        }

        return new LoraModule
        {
            Path = module.Path,
            Naming = ModuleNaming.HuggingFace,
            Kind = LoraModuleKind.Linear,
            Rank = checked(rank * rank),
            Scaling = module.Config.ScalingOf(module.Path, rank),
            A = PeftExpansion.HadamardA(module.File.Get(w[1]), module.File.Get(w[3])).Cast(DType.F32),
            B = PeftExpansion.HadamardB(module.File.Get(w[0]), module.File.Get(w[2])).Cast(DType.F32),
            SourceTensors = [.. w.Select(t => t.Name)],
        };
    }
}
