using Sway.Tensors;

namespace Sway.Conversion.Mlx;

/// <summary>One module ready to be written.</summary>
/// <param name="Module">Where it is.</param>
/// <param name="Tensors">Its tensors under mlx-lm's names.</param>
/// <param name="Delta">The source's delta, for verifying.</param>
/// <param name="Explanation">What was done, in a few words.</param>
internal sealed record MlxModuleTensors(MlxModule Module, IReadOnlyList<PlannedTensor> Tensors, PlannedDelta Delta, string Explanation);

/// <summary>
/// mlx-lm knows one rank and one scale for a whole adapter. Where the source is uniform its bits are kept and only transposed;
/// otherwise ranks are padded with zeros, and scales that differ are multiplied into the second factor in float64, rounded
/// once to float32.
/// </summary>
internal sealed class MlxFactors
{
    private const double SizeWarning = 4;

    public required IReadOnlyList<MlxModuleTensors> Modules { get; init; }

    public required int Rank { get; init; }

    public required double Scale { get; init; }

    public required bool Baked { get; init; }

    public required bool IsDora { get; init; }

    public required IReadOnlyList<string> Warnings { get; init; }

    public static MlxFactors Unify(MlxResolution resolution)
    {
        List<MlxModule> modules = resolution.Modules;
        bool dora = modules.Any(module => module.Magnitude is not null);
        int rank = Math.Max(1, modules.Max(module => module.Rank));
        double[] scales = [.. modules.Where(module => module.Rank > 0).Select(module => module.Scaling).Distinct()];
        double? scale = scales is [var single] && float.IsFinite((float)single) ? single : null;
        var written = modules.Select(module => Write(module, rank, scale, dora)).ToList();
        bool padded = modules.Any(module => module.Rank != rank);
        var warnings = new List<string>();
        double before = modules.Sum(module => (double)module.A.ElementCount + module.B.ElementCount);
        double after = written.Sum(module => module.Tensors.Sum(tensor => (double)tensor.Value.ElementCount));
        if (after > SizeWarning * before && before > 0)
        {
            warnings.Add(FormattableString.Invariant($"Padding every module to rank {rank} makes the adapter {after / before:0.#} times larger; mlx-lm knows one rank for all modules."));
        }

        return new MlxFactors
        {
            Modules = written,
            Rank = rank,
            Scale = scale ?? 1,
            Baked = padded || scale is null || modules.Any(module => !module.A.KeepsBits || !module.B.KeepsBits),
            IsDora = dora,
            Warnings = warnings,
        };
    }

    private static MlxModuleTensors Write(MlxModule module, int rank, double? scale, bool dora)
    {
        // mlx reads F8 as bytes and has no F64; DoRA's norm is computed in the factors' type, so bf16 would be visible.
        TensorExpression a = dora ? module.A.Cast(DType.F32) : Storable(module.A);
        TensorExpression b = dora ? module.B.Cast(DType.F32) : Storable(module.B);
        bool multiply = scale is null && module.Rank > 0;
        if (multiply)
        {
            b = module.B.Scale(module.Scaling);
        }

        a = a.PadEnd(module.RankAxisOfA, rank);
        b = b.PadEnd(module.RankAxisOfB, rank);
        if (module.Kind != MlxModuleKind.Switch)
        {
            a = a.Transpose();
            b = b.Transpose();
        }

        List<PlannedTensor> tensors = [new($"{module.Path}.lora_a", a), new($"{module.Path}.lora_b", b)];
        if (module.Magnitude is not null)
        {
            tensors.Add(new PlannedTensor($"{module.Path}.m", module.Magnitude.Cast(DType.F32)));
        }

        string[] steps =
        [
            module.Note,
            module.Kind == MlxModuleKind.Switch ? "kept untransposed, as switch layers are stored" : "transposed",
            module.Rank < rank ? FormattableString.Invariant($"rank {module.Rank} padded to {rank}") : "",
            multiply ? FormattableString.Invariant($"scale {module.Scaling:R} multiplied into lora_b") : "",
        ];
        var delta = new PlannedDelta(module.Path, module.A, module.B, module.Rank == 0 ? 0 : module.Scaling, module.RankAxisOfA, module.RankAxisOfB);
        return new MlxModuleTensors(module, tensors, delta, string.Join("; ", steps.Where(step => step.Length > 0)));
    }

    private static TensorExpression Storable(TensorExpression value) =>
        value.DType is DType.F64 or DType.F8E4M3 or DType.F8E5M2 ? value.Cast(DType.F32) : value;
}
