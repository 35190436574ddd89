using System.Globalization;
using Sway.Tensors;

namespace Sway.Adapters.Mlx.Repair;

/// <summary>
/// The tensors of an adapter in the one layout that mlx-lm of today loads: experts on their own axis, one rank and one
/// scale for all modules, in safetensors.
/// </summary>
/// <param name="Rank">The one rank.</param>
/// <param name="Scale">The one scale.</param>
/// <param name="Tensors">The tensors; null when the file may stay as it is.</param>
/// <param name="Changes">What is done to them.</param>
internal sealed record MlxLayoutUpdate(int Rank, double Scale, IReadOnlyList<PlannedTensor>? Tensors, IReadOnlyList<string> Changes)
{
    /// <summary>Plans the update; only headers are read.</summary>
    /// <param name="file">The tensors as they are.</param>
    /// <param name="groups">The same, by module.</param>
    /// <param name="scaleOf">Each module's own scale.</param>
    public static MlxLayoutUpdate Plan(TensorFile file, MlxTensorGroups groups, Func<string, double> scaleOf)
    {
        int rank = groups.Modules.Max(group => group.Rank);

        // The scale that most modules have: theirs then keep their bits.
        double scale = groups.Modules.GroupBy(group => scaleOf(group.Path)).Where(same => same.Key != 0)
            .OrderByDescending(same => same.Count()).ThenBy(same => same.Key).Select(same => same.Key).FirstOrDefault(1);
        var tensors = new List<PlannedTensor>();
        int flattened = 0, padded = 0, baked = 0;
        foreach (MlxTensorGroup group in groups.Modules)
        {
            TensorExpression a = file.Get(group.A!);
            TensorExpression b = file.Get(group.B!);
            if (group.IsFlattened)
            {
                a = a.SplitAxis(0, group.B!.Shape[0]);
                flattened++;
            }

            double factor = scaleOf(group.Path) / scale;
            if (factor != 1)
            {
                // A factor that is no power of two would cost 16-bit factors a rounding.
                b = b.Scale(factor, BitConverter.DoubleToInt64Bits(factor) << 12 == 0 ? b.DType : DType.F32);
                baked++;
            }

            if (group.Rank < rank)
            {
                (a, b) = group.IsSwitch ? (a.PadEnd(1, rank), b.PadEnd(2, rank)) : (a.PadEnd(1, rank), b.PadEnd(0, rank));
                padded++;
            }

            tensors.Add(new PlannedTensor(group.Path + ".lora_a", a));
            tensors.Add(new PlannedTensor(group.Path + ".lora_b", b));
            if (group.Magnitude is not null)
            {
                tensors.Add(new PlannedTensor(group.Magnitude.Name, file.Get(group.Magnitude)));
            }
        }

        var changes = new List<string>();
        Add(changes, flattened, "modules: the experts' axis is split from the rank's");
        Add(changes, padded, string.Create(CultureInfo.InvariantCulture, $"modules: padded with zeros to rank {rank}"));
        Add(changes, baked, string.Create(CultureInfo.InvariantCulture, $"modules: their own scale, divided by {scale}, is multiplied into lora_b"));
        if (file is NpzFile)
        {
            changes.Add($"the NumPy archive becomes {MlxAdapterFiles.TensorFileName}");
        }

        return new MlxLayoutUpdate(rank, scale, changes.Count > 0 ? tensors : null, changes);
    }

    private static void Add(List<string> changes, int count, string text)
    {
        if (count > 0)
        {
            changes.Add(string.Create(CultureInfo.InvariantCulture, $"{count} {text}"));
        }
    }
}
