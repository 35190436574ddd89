using System.Diagnostics;
using Sway.Adapters;
using Sway.Architectures;
using Sway.Conversion.Mlx;
using Sway.IO;
using Sway.Tensors;

namespace Sway.Conversion;

/// <summary>Converts adapters: exactly, or with one error that lists every reason and nothing written.</summary>
public static class AdapterConverter
{
    /// <summary>Makes the plan from headers alone. Dispose it to close the source.</summary>
    /// <param name="path">The source adapter.</param>
    /// <param name="options">Choices.</param>
    /// <param name="cancellationToken">Stops between modules.</param>
    /// <exception cref="ConversionRefusedException">The result would not be exact.</exception>
    public static ConversionPlan Plan(string path, ConversionOptions options, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var open = new AdapterOpenOptions { AdapterName = options.AdapterName, Alpha = options.Alpha, BaseModel = options.BaseModel, NoBaseLookup = options.NoBaseLookup };
        LoraAdapter adapter = AdapterReader.Open(path, open);
        var owned = new List<IDisposable> { adapter };
        try
        {
            BaseModel? model = BaseModelLocator.Open(adapter.Path, adapter.BaseModelName, options.BaseModel, !options.NoBaseLookup, out BaseSource source);
            if (model is not null)
            {
                owned.Add(model);
            }

            LoraAdapter? initial = options.InitialAdapter is null ? null : AdapterReader.Open(options.InitialAdapter);
            if (initial is not null)
            {
                owned.Add(initial);
            }

            ConversionPlan plan = Planner(options.Target)(adapter, model, source, options, initial);
            plan.Own(owned);
            return plan;
        }
        catch
        {
            owned.ForEach(item => item.Dispose());
            throw;
        }
    }

    /// <summary>Plans, writes the output folder atomically, and verifies it where asked.</summary>
    /// <param name="path">The source adapter.</param>
    /// <param name="destination">The output folder itself.</param>
    /// <param name="options">Choices.</param>
    /// <param name="progress">Gets bytes written and in all.</param>
    /// <param name="cancellationToken">Stops between tiles and removes what was written.</param>
    /// <exception cref="ConversionRefusedException">The result would not be exact.</exception>
    /// <exception cref="OutputException">The output exists, or is the source.</exception>
    public static AdapterConversionResult Convert(
        string path,
        string destination,
        ConversionOptions options,
        IProgress<ByteProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        long started = Stopwatch.GetTimestamp();
        using ConversionPlan plan = Plan(path, options, cancellationToken);
        string output = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(destination));
        CheckDestination(plan, output, options.Force);
        using AtomicDirectory folder = AtomicDirectory.Create(output);
        string tensorPath = System.IO.Path.Combine(folder.TemporaryPath, plan.TensorFileName);
        var finite = new FiniteGuard();
        long written = SafetensorsWriter.Write(tensorPath, plan.Tensors, plan.Metadata, progress, finite.Inspect, cancellationToken);
        finite.ThrowIfAny(plan.Summary.Source);
        AtomicFile.WriteNew(System.IO.Path.Combine(folder.TemporaryPath, AdapterLocation.ConfigName), plan.Configuration);
        double? difference = null;
        if (options.Verify)
        {
            difference = plan.Verification is { } check
                ? check(folder.TemporaryPath, cancellationToken)
                : DeltaVerifier.LargestDifference(tensorPath, plan.Deltas, plan.Summary.Scale, cancellationToken);
            DeltaVerifier.Require(difference.Value, plan.Summary.Source);
        }

        folder.Commit(options.Force, cancellationToken);
        return plan.Summary with
        {
            FullName = output,
            WrittenBytes = written + plan.Configuration.Length,
            Seconds = Stopwatch.GetElapsedTime(started).TotalSeconds,
            VerifiedDifference = difference,
        };
    }

    private static Func<LoraAdapter, BaseModel?, BaseSource, ConversionOptions, LoraAdapter?, ConversionPlan> Planner(ConversionTarget target) => target switch
    {
        ConversionTarget.Mlx => MlxPlanner.Plan,
        _ => static (adapter, model, source, options, _) => Peft.PeftPlanner.Plan(adapter, model, source, options),
    };

    private static void CheckDestination(ConversionPlan plan, string output, bool force)
    {
        string source = System.IO.Path.TrimEndingDirectorySeparator(plan.Summary.Source);
        StringComparison comparison = OperatingSystem.IsLinux() ? StringComparison.Ordinal : StringComparison.OrdinalIgnoreCase;
        if (string.Equals(source, output, comparison)
            || source.StartsWith(output + System.IO.Path.DirectorySeparatorChar, comparison))
        {
            throw new OutputException(OutputErrorKind.IsSource, $"The output {output} is the source itself or holds it.") { Path = output };
        }

        if (File.Exists(output) || (Directory.Exists(output) && !force))
        {
            throw new OutputException(OutputErrorKind.Exists, $"{output} exists already.") { Path = output };
        }
    }
}
