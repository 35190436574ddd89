using Sway.IO;
using Sway.Tensors;

namespace Sway.Adapters.Peft;

/// <summary>Factors that PEFT variants store compactly, written out as plain ones.</summary>
internal static class PeftExpansion
{
    private const int DefaultGroupSize = 16;
    private const int MaximumGroupSize = 4096;

    /// <summary>Writes BD-LoRA's and QALoRA's factors out; false, with a refusal, when the configuration does not say how.</summary>
    public static bool TryExpand(PeftModuleTensors module, ref TensorExpression a, ref TensorExpression b)
    {
        if (module.Config.Find("use_bdlora") is { Kind: JsonKind.Object } blocks)
        {
            if (!blocks.TryGet("nblocks", out JsonTree count) || count.Kind != JsonKind.Number || !count.TryGetInt32(out int n) || n < 1)
            {
                throw module.Config.Bad("use_bdlora has no whole number nblocks");
            }

            bool onA = Names(blocks, "target_modules_bd_a", module.Path), onB = Names(blocks, "target_modules_bd_b", module.Path);
            if (onA == onB || (onA ? a : b).Sizes[0] % n != 0)
            {
                module.Refusals.Add(RefusalCategory.ShapeMismatch, "BD-LoRA does not say which of the factors is block-diagonal, or the blocks do not divide it.", module.Path);
                return false;
            }

            a = onA ? BlockDiagonal(a, n) : a;
            b = onB ? BlockDiagonal(b, n) : b;
        }

        if (module.Config.Flag("use_qalora"))
        {
            int group = module.Config.Find("qalora_group_size") is not { } size ? DefaultGroupSize
                : size.Kind == JsonKind.Number && size.TryGetInt32(out int value) && value is > 0 and <= MaximumGroupSize ? value
                : throw module.Config.Bad("qalora_group_size is no group size");
            a = Grouped(a, group);
        }

        return true;
    }

    /// <summary>BD-LoRA: (r, n / blocks) or (m, r / blocks) becomes block-diagonal over the chunks of its rows.</summary>
    public static TensorExpression BlockDiagonal(TensorExpression compact, int blocks)
    {
        long rows = compact.Shape[0] / blocks;
        long columns = compact.Shape[1];
        var stripes = new List<TensorExpression>(blocks);
        for (int i = 0; i < blocks; i++)
        {
            var stripe = new List<TensorExpression>(3);
            if (i > 0)
            {
                stripe.Add(TensorExpression.Zeros(compact.DType, [rows, columns * i]));
            }

            stripe.Add(compact.Slice(0, i * rows, rows));
            if (i < blocks - 1)
            {
                stripe.Add(TensorExpression.Zeros(compact.DType, [rows, columns * (blocks - 1 - i)]));
            }

            stripes.Add(TensorExpression.Concatenate(1, stripe));
        }

        return TensorExpression.Concatenate(0, stripes);
    }

    /// <summary>QALoRA: A (r, in / g) acts on sums of g inputs, times (in / g) / g.</summary>
    public static TensorExpression Grouped(TensorExpression compact, int groupSize)
    {
        long rank = compact.Shape[0], groups = compact.Shape[1];
        return TensorExpression.Computed(
            string.Join(", ", compact.Sources),
            [rank, groups * groupSize],
            () =>
            {
                double[] values = compact.ToDoubleArray();
                double[] full = new double[rank * groups * groupSize];
                double factor = (double)groups / groupSize;
                for (int i = 0; i < full.Length; i++)
                {
                    full[i] = values[i / groupSize] * factor;
                }

                return full;
            }).Cast(DType.F32);
    }

    /// <summary>LoHa's A of rank r^2: row i * r + j is the product of row i of w1_b and row j of w2_b.</summary>
    public static TensorExpression HadamardA(TensorExpression w1B, TensorExpression w2B)
    {
        int rank = (int)w1B.Shape[0], size = (int)w1B.Shape[1];
        return TensorExpression.Computed($"{w1B.Sources.First()}, {w2B.Sources.First()}", [(long)rank * rank, size], () =>
        {
            double[] left = w1B.ToDoubleArray(), right = w2B.ToDoubleArray();
            double[] product = new double[rank * rank * size];
            for (int i = 0; i < rank; i++)
            {
                for (int j = 0; j < rank; j++)
                {
                    for (int k = 0; k < size; k++)
                    {
                        product[(((i * rank) + j) * size) + k] = left[(i * size) + k] * right[(j * size) + k];
                    }
                }
            }

            return product;
        });
    }

    /// <summary>LoHa's B of rank r^2: column i * r + j is the product of column i of w1_a and column j of w2_a.</summary>
    public static TensorExpression HadamardB(TensorExpression w1A, TensorExpression w2A) => HadamardA(w1A.Transpose(), w2A.Transpose()).Transpose();

    private static bool Names(JsonTree blocks, string list, string path) =>
        blocks.TryGet(list, out JsonTree names) && names.Kind == JsonKind.Array
        && names.Items.Any(name => name.Text is { } text && (path == text || path.EndsWith("." + text, StringComparison.Ordinal)));
}
