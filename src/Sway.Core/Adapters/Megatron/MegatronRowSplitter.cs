namespace Sway.Adapters.Megatron;

/// <summary>The rows of each Hugging Face layer in a Megatron layer's second factor and in its magnitude.</summary>
/// <param name="Names">The Hugging Face paths.</param>
/// <param name="Rows">For each path its rows, in the second factor.</param>
/// <param name="MagnitudeRows">For each path its rows in the magnitude, which is not always saved in the same order.</param>
internal sealed record MegatronSplit(IReadOnlyList<string> Names, RowRange[][] Rows, RowRange[][] MagnitudeRows);

/// <summary>Decides how one Megatron layer is split, or refuses it with the reason.</summary>
internal sealed class MegatronRowSplitter(MegatronGeometry geometry, RefusalList refusals)
{
    private const string NeedsRun = "Put the run's run_config.yaml beside the checkpoint.";

    private static readonly string[] s_projections = ["q", "k", "v"];
    private static readonly string[] s_halves = ["gate", "up"];

    /// <summary>Splits the output rows of a layer.</summary>
    /// <param name="group">The adapter.</param>
    /// <param name="path">The layer's Megatron path, numbers filled in; for messages.</param>
    /// <param name="names">The rule and the Hugging Face paths.</param>
    /// <param name="rows">The number of output rows.</param>
    /// <param name="isDora">True with a magnitude.</param>
    public MegatronSplit? Split(MegatronTensorGroup group, string path, MegatronNames names, long rows, bool isDora)
    {
        if (names.Rule == RowRule.Refused)
        {
            return Refuse(RefusalCategory.UnmappableModule, $"No exact rule is known for this layer ({names.Names[0]}).", path);
        }

        if (group.IsSectioned != (names.Rule == RowRule.Mamba))
        {
            return Refuse(RefusalCategory.Megatron, "A Mamba in_proj keeps its row order only when it was saved as z, x, B, C and dt.", path);
        }

        if (isDora && !CheckDora(group, path))
        {
            return null;
        }

        if (group.IsExperts && path.EndsWith(".linear_fc2", StringComparison.Ordinal) && geometry.ExpertTensorParallelSize > 1)
        {
            return Refuse(
                RefusalCategory.Megatron,
                $"The second layers of the experts were trained with expert tensor parallelism {geometry.ExpertTensorParallelSize}, where Megatron's own result is not that of the saved factors.",
                path);
        }

        if (group.Projection is not null)
        {
            return SplitCanonical(group, path, names, rows);
        }

        return names.Rule switch
        {
            RowRule.Gated => SplitGated(group, path, names, rows, isDora),
            RowRule.Qkv or RowRule.QkvJoined => SplitQkv(path, names, rows),
            RowRule.Gdn or RowRule.GdnGrouped => SplitDeltaNet(path, names, rows, isDora),
            _ => Plain(names.Names[0], [new(0, rows)]),
        };
    }

    private bool CheckDora(MegatronTensorGroup group, string path)
    {
        if (group.IsExperts)
        {
            Refuse(RefusalCategory.DoraExperts, "DoRA on routed experts has no counterpart.", path);
            return false;
        }

        // Ranks of a layer that is cut along its input normalise with the norm of their own columns, and one of these is saved.
        if (path.EndsWith(".linear_proj", StringComparison.Ordinal) || path.EndsWith(".linear_fc2", StringComparison.Ordinal)
            || path.EndsWith(".out_proj", StringComparison.Ordinal))
        {
            if (geometry.TensorParallelSize is null)
            {
                RefuseUnknownRanks(path);
                return false;
            }

            if (geometry.TensorParallelSize != 1)
            {
                Refuse(
                    RefusalCategory.Megatron,
                    $"DoRA on a layer that is cut along its input was trained with tensor parallelism {geometry.TensorParallelSize}: each rank used the norm of its own columns, which no single layer reproduces.",
                    path);
                return false;
            }
        }

        return true;
    }

    private MegatronSplit? SplitGated(MegatronTensorGroup group, string path, MegatronNames names, long rows, bool isDora)
    {
        if (!CheckGated(group, path))
        {
            return null;
        }

        if (rows % 2 != 0)
        {
            return WrongRows(path, rows, "an even number");
        }

        RowRange[][] halves = FusedRows.Gated(rows);
        if (!isDora)
        {
            return new MegatronSplit(names.Names, halves, halves);
        }

        return geometry.TensorParallelSize is not { } ranks ? RefuseUnknownRanks(path)
            : ranks < 1 || rows % (2 * ranks) != 0 ? WrongRows(path, rows, $"a multiple of {2 * ranks}")
            : new MegatronSplit(names.Names, halves, FusedRows.GatedByRank(rows, ranks));
    }

    private bool CheckGated(MegatronTensorGroup group, string path)
    {
        if (geometry.GatedUnit is false)
        {
            Refuse(RefusalCategory.BadConfig, "The run's linear_fc1 is not gated, and the base model's is.", path);
            return false;
        }

        bool shared = path.Contains(".shared_experts.", StringComparison.Ordinal);
        if ((group.IsExperts || shared) && geometry.InterleavesGate(routedExperts: !shared))
        {
            Refuse(RefusalCategory.Megatron, "The run interleaves the gate and up rows of its experts, and how adapters are saved then is not known.", path);
            return false;
        }

        return true;
    }

    private MegatronSplit? SplitQkv(string path, MegatronNames names, long rows)
    {
        if (Attention(path) is not { } attention)
        {
            return null;
        }

        (long heads, long groups, long size) = attention;
        long plain = (heads + (2 * groups)) * size;
        long gated = plain + (heads * size);
        if ((rows != plain && rows != gated) || (geometry.OutputGate is { } gate && gate != (rows == gated)))
        {
            return WrongRows(path, rows, $"{plain}, or {gated} with an output gate, for {heads} heads of {size} in {groups} groups");
        }

        RowRange[][] split = FusedRows.Qkv(heads, groups, size, rows == gated);
        return names.Rule == RowRule.Qkv ? new MegatronSplit(names.Names, split, split) : Plain(names.Names[0], [.. split.SelectMany(part => part)]);
    }

    private MegatronSplit? SplitDeltaNet(string path, MegatronNames names, long rows, bool isDora)
    {
        if (isDora)
        {
            return Refuse(RefusalCategory.Megatron, "DoRA on a gated delta net's in_proj: how its magnitude is saved is not known.", path);
        }

        if (geometry.TensorParallelSize is not { } ranks)
        {
            return RefuseUnknownRanks(path);
        }

        if (geometry.DeltaNet() is not { } sizes || ranks < 1 || sizes.KeyHeads % ranks != 0 || sizes.Rows != rows)
        {
            return WrongRows(path, rows, $"{geometry.DeltaNet()?.Rows.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "unknown"} by the linear attention's head sizes");
        }

        RowRange[][] split = names.Rule == RowRule.Gdn ? FusedRows.DeltaNet(sizes, ranks) : FusedRows.DeltaNetGrouped(sizes, ranks);
        return new MegatronSplit(names.Names, split, split);
    }

    private MegatronSplit? SplitCanonical(MegatronTensorGroup group, string path, MegatronNames names, long rows)
    {
        int half = Array.IndexOf(s_halves, group.Projection);
        if (half >= 0 && names.Rule == RowRule.Gated)
        {
            if (!CheckGated(group, path))
            {
                return null;
            }

            // The rows are permuted as if the matrix were both halves of the layer.
            return geometry.TensorParallelSize is not { } ranks ? RefuseUnknownRanks(path)
                : ranks == 1 ? Plain(names.Names[half], [new(0, rows)])
                : ranks < 1 || rows % (2 * ranks) != 0 ? WrongRows(path, rows, $"a multiple of {2 * ranks}")
                : Plain(names.Names[half], FusedRows.HalvesByRank(rows, ranks));
        }

        int projection = Array.IndexOf(s_projections, group.Projection);
        if (projection < 0 || names.Rule != RowRule.Qkv)
        {
            return Refuse(RefusalCategory.UnmappableModule, $"An adapter of the projection {group.Projection} on this layer has no counterpart.", path);
        }

        if (Attention(path) is not { } attention)
        {
            return null;
        }

        long expected = (projection == 0 ? attention.Heads : attention.Groups) * attention.Size;
        return geometry.OutputGate is true && projection == 0
            ? Refuse(RefusalCategory.Megatron, "CanonicalLoRA has no rows for the output gate that the base model's q_proj holds.", path)
            : rows != expected ? WrongRows(path, rows, $"{expected} for its heads")
            : Plain(names.Names[projection], [new(0, rows)]);
    }

    private (long Heads, long Groups, long Size)? Attention(string path)
    {
        if (geometry is { Heads: > 0 and { } heads, Groups: > 0 and { } groups, HeadSize: > 0 and { } size } && heads % groups == 0 && heads <= 1 << 16 && size <= 1 << 16)
        {
            return (heads, groups, size);
        }

        refusals.AddWithRemedy(RefusalCategory.MissingConfig, "The numbers of heads and groups and their size are not known or do not fit.", NeedsRun, path);
        return null;
    }

    private static MegatronSplit Plain(string name, RowRange[] rows) => new([name], [rows], [rows]);

    private MegatronSplit? WrongRows(string path, long rows, string expected) =>
        Refuse(RefusalCategory.ShapeMismatch, $"The second factor has {rows} rows instead of {expected}.", path);

    private MegatronSplit? RefuseUnknownRanks(string path)
    {
        refusals.AddWithRemedy(
            RefusalCategory.MissingConfig, "The order of the rows depends on the run's tensor parallelism, which only run_config.yaml tells.", NeedsRun, path);
        return null;
    }

    private MegatronSplit? Refuse(RefusalCategory category, string reason, string path)
    {
        refusals.Add(category, reason, path);
        return null;
    }
}
