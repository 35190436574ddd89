using Sway.Adapters;
using Sway.Architectures;
using Sway.Conversion.Mlx;
using Sway.Tensors;

namespace Sway.Conversion.Peft;

/// <summary>Joins the pieces of each Hugging Face module to one delta.</summary>
internal static class PeftTargets
{
    /// <summary>Builds all targets in the order of the source.</summary>
    public static IReadOnlyList<PeftTarget> Build(IReadOnlyList<PeftPiece> pieces, BaseModel? model, List<Refusal> refusals)
    {
        var targets = new List<PeftTarget>();
        foreach (IGrouping<string, PeftPiece> group in pieces.GroupBy(piece => piece.Path, StringComparer.Ordinal))
        {
            targets.Add(Join([.. group], refusals));
        }

        CheckTying(pieces, model, refusals);
        AddMissingPartners(targets, pieces, model);
        AddTiedHeads(targets, pieces, model, refusals);
        return targets;
    }

    private static PeftTarget Join(PeftPiece[] pieces, List<Refusal> refusals)
    {
        PeftPiece first = pieces[0];
        PeftTargetKind kind = first.Rule switch
        {
            { Layout: not ExpertLayout.None } => PeftTargetKind.ExpertParameter,
            { IsParameter: true } => PeftTargetKind.Parameter,
            _ => first.Module.Kind == LoraModuleKind.Embedding ? PeftTargetKind.Embedding : PeftTargetKind.Linear,
        };
        Check(first, kind, refusals);
        var target = new PeftTarget
        {
            Path = first.Path,
            Kind = kind,
            A = first.A,
            B = first.B,
            Magnitude = first.Module.Magnitude,
            Rank = first.Module.Rank,
            Scaling = first.Module.Scaling,
            Rule = first.Rule,
            Sources = [.. pieces.SelectMany(piece => piece.Module.SourceTensors)],
        };
        if (pieces.Length == 1 && first.Rows.IsAll)
        {
            return target;
        }

        if (first.Rows.IsAll || pieces.Select(piece => piece.Rows.Index).Distinct().Count() < pieces.Length)
        {
            refusals.Add(new Refusal(RefusalCategory.DuplicateModule, $"Several modules of the adapter are {first.Path} in transformers.")
            {
                Modules = [.. pieces.Select(piece => piece.Module.Path)],
            });
            return target;
        }

        return Fuse(target, pieces, refusals);
    }

    /// <summary>
    /// Parts of one fused module: their first factors below each other, their second ones on the diagonal, which is the sum
    /// of the parts' deltas exactly. Rows of a part without a delta stay zero.
    /// </summary>
    private static PeftTarget Fuse(PeftTarget target, PeftPiece[] pieces, List<Refusal> refusals)
    {
        RowPart rows = pieces[0].Rows;
        int axis = target.Kind == PeftTargetKind.ExpertParameter ? 1 : 0;
        DType dtype = pieces.Select(piece => piece.A.DType).Concat(pieces.Select(piece => piece.B.DType)).Distinct().Count() == 1
            && pieces.All(piece => piece.Module.Scaling == target.Scaling) ? pieces[0].A.DType : DType.F32;
        int rank = pieces.Sum(piece => piece.Module.Rank);
        var blocks = new List<TensorExpression>();
        for (int part = 0; part < rows.Of; part++)
        {
            PeftPiece? piece = Array.Find(pieces, candidate => candidate.Rows.Index == part);
            blocks.Add(piece is null
                ? TensorExpression.Zeros(dtype, pieces[0].B.Shape.SetItem(axis + 1, rank))
                : OnDiagonal(piece, pieces, target.Scaling, axis, dtype));
        }

        TensorExpression? magnitude = null;
        if (target.Magnitude is not null)
        {
            if (pieces.Length < rows.Of || rows.Interleaved)
            {
                refusals.Add(new Refusal(RefusalCategory.MixedDora, $"DoRA adapts only a part of {target.Path}, which transformers holds in one.")
                {
                    Modules = [.. pieces.Select(piece => piece.Module.Path)],
                });
            }
            else
            {
                magnitude = TensorExpression.Concatenate(0, [.. pieces.OrderBy(piece => piece.Rows.Index).Select(piece => piece.Module.Magnitude!.Cast(DType.F32))]);
            }
        }

        return target with
        {
            A = TensorExpression.Concatenate(axis, [.. pieces.Select(piece => piece.A.Cast(dtype))]),
            B = rows.Interleaved ? Interleave(blocks, axis) : TensorExpression.Concatenate(axis, blocks),
            Magnitude = magnitude,
            Rank = rank,
        };
    }

    private static TensorExpression OnDiagonal(PeftPiece piece, PeftPiece[] pieces, double scaling, int axis, DType dtype)
    {
        double factor = scaling == 0 ? 0 : piece.Module.Scaling / scaling;
        TensorExpression own = factor == 1 ? piece.B.Cast(dtype) : piece.B.Scale(factor, dtype);
        return TensorExpression.Concatenate(axis + 1, [.. pieces.Select(other => ReferenceEquals(other, piece)
            ? own
            : TensorExpression.Zeros(dtype, piece.B.Shape.SetItem(axis + 1, other.Module.Rank)))]);
    }

    private static TensorExpression Interleave(List<TensorExpression> blocks, int axis)
    {
        TensorExpression stacked = TensorExpression.Stack(axis + 1, blocks);
        return DenseReshape.Of(stacked, stacked.Shape.RemoveAt(axis).SetItem(axis, stacked.Shape[axis] * blocks.Count));
    }

    /// <summary>
    /// PEFT under transformers 5 fuses the gate and up projection of each expert and refuses an adapter of only one of them,
    /// so the other gets a delta of zero.
    /// </summary>
    private static void AddMissingPartners(List<PeftTarget> targets, IReadOnlyList<PeftPiece> pieces, BaseModel? model)
    {
        if (model?.Map is not { } map)
        {
            return;
        }

        var present = targets.Select(target => target.Path).ToHashSet(StringComparer.Ordinal);
        foreach (PeftPiece piece in pieces.Where(piece => piece.Expert >= 0))
        {
            IReadOnlyList<ModuleMatch> found = map.FindMlx(piece.Module.Path);
            ModuleMatch fused = found.FirstOrDefault(match => match.Rule.Layout != ExpertLayout.None && !match.Rule.Rows.IsAll);
            if (fused.Rule is null)
            {
                continue;
            }

            foreach (ModuleRule sibling in map.Rules.Where(rule => rule.HuggingFacePath == fused.Rule.HuggingFacePath && rule.MlxPath != fused.Rule.MlxPath))
            {
                ModuleRule? single = map.Rules.FirstOrDefault(rule => rule.IsPerExpert && rule.MlxPath == sibling.MlxPath);
                string? path = single is null ? null : ModulePath.Fill(single.HuggingFacePath, fused.Layer, piece.Expert);
                if (path is not null && present.Add(path))
                {
                    targets.Add(new PeftTarget
                    {
                        Path = path,
                        Kind = PeftTargetKind.Linear,
                        A = piece.A,
                        B = TensorExpression.Zeros(piece.B.DType, piece.B.Shape),
                        Rank = piece.Module.Rank,
                        Scaling = piece.Module.Scaling,
                        Rule = single,
                        Sources = [],
                    });
                }
            }
        }
    }

    private static void CheckTying(IReadOnlyList<PeftPiece> pieces, BaseModel? model, List<Refusal> refusals)
    {
        string[] unclear = model is { Tying: null } ? [.. pieces.Select(piece => piece.Path).Where(path => TiedModels.IsHead(path) || TiedModels.IsTokenTable(path))] : [];
        if (unclear.Length > 0)
        {
            refusals.Add(new Refusal(RefusalCategory.TiedEmbedding, TiedModels.Unknown) { Modules = unclear, Remedy = TiedModels.UnknownRemedy });
        }
    }

    /// <summary>mlx-lm's embedding also is the head of a tied model; PEFT needs the mirrored pair on the head for that.</summary>
    private static void AddTiedHeads(List<PeftTarget> targets, IReadOnlyList<PeftPiece> pieces, BaseModel? model, List<Refusal> refusals)
    {
        foreach (PeftPiece piece in pieces.Where(piece => piece.Module is { Kind: LoraModuleKind.Embedding, AlsoChangesTiedHead: true } && model?.IsTied == true))
        {
            if (piece.Path.EndsWith("per_layer", StringComparison.Ordinal) || piece.Path.EndsWith("wpe", StringComparison.Ordinal))
            {
                continue;
            }

            const string Head = "lm_head";
            if (targets.Exists(target => target.Path == Head))
            {
                refusals.Add(new Refusal(RefusalCategory.TiedHead, "The head of a tied model has a delta of its own beside the embedding's.") { Modules = [Head] });
                continue;
            }

            targets.Add(new PeftTarget
            {
                Path = Head,
                Kind = PeftTargetKind.Linear,
                A = piece.B.Transpose(),
                B = piece.A.Transpose(),
                Rank = piece.Module.Rank,
                Scaling = piece.Module.Scaling,
                Sources = piece.Module.SourceTensors,
            });
        }
    }

    private static void Check(PeftPiece piece, PeftTargetKind kind, List<Refusal> refusals)
    {
        if (piece.Module.Magnitude is null)
        {
            return;
        }

        if (kind == PeftTargetKind.Embedding)
        {
            refusals.Add(new Refusal(
                RefusalCategory.DoraEmbedding,
                "DoRA on an embedding: mlx-lm normalises each row of the vocabulary, PEFT each column, so neither expresses the other's.")
            {
                Modules = [piece.Module.Path],
            });
        }
        else if (kind is PeftTargetKind.Parameter or PeftTargetKind.ExpertParameter)
        {
            refusals.Add(new Refusal(RefusalCategory.DoraExperts, "PEFT has no DoRA on bare parameters, which this module is in transformers 5.")
            {
                Modules = [piece.Module.Path],
                Remedy = "Write for transformers 4 with --transformers-version 4 (-TransformersVersion 4).",
            });
        }
    }
}
