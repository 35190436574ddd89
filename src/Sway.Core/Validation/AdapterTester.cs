using System.Diagnostics;
using Sway.Adapters;
using Sway.Architectures;
using Sway.Conversion;

namespace Sway.Validation;

/// <summary>Tests adapters: files, structure, numbers, the base, the programs that would load them, and a reference.</summary>
public static class AdapterTester
{
    /// <summary>Runs every check; what is wrong with the adapter is a finding, never an exception.</summary>
    /// <param name="path">A folder, or a weights file in it.</param>
    /// <param name="options">Choices; null for none.</param>
    /// <param name="cancellationToken">Stops between pieces of tensors.</param>
    /// <exception cref="FileNotFoundException">The path, or the reference, does not exist.</exception>
    /// <exception cref="IOException">The disk fails.</exception>
    public static LoraAdapterTestResult Test(string path, AdapterTestOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new AdapterTestOptions();
        Require(path);
        if (options.Reference is not null)
        {
            Require(options.Reference);
        }

        long started = Stopwatch.GetTimestamp();
        var findings = new FindingList();
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        var result = new LoraAdapterTestResult { FullName = full, Name = Path.GetFileName(full), Findings = [] };
        try
        {
            using LoraAdapter adapter = AdapterReader.Open(
                path, new AdapterOpenOptions { AdapterName = options.AdapterName, BaseModel = options.BaseModel, NoBaseLookup = options.NoBaseLookup });
            result = result with
            {
                FullName = adapter.Path,
                Name = Path.GetFileName(adapter.Path),
                Format = adapter.Format.ToString(),
                ModuleCount = adapter.Modules.Count,
            };
            result = Run(adapter, path, result, options, findings, cancellationToken);
        }
        catch (SwayException e)
        {
            findings.Add(e);
        }

        return result with { Findings = findings.ToList(), Seconds = Stopwatch.GetElapsedTime(started).TotalSeconds };
    }

    private static LoraAdapterTestResult Run(
        LoraAdapter adapter, string path, LoraAdapterTestResult result, AdapterTestOptions options, FindingList findings, CancellationToken cancellationToken)
    {
        findings.AddRange(adapter.Obstacles.Where(obstacle => !obstacle.IsInitialisation));
        foreach (Refusal initialisation in adapter.Obstacles.Where(obstacle => obstacle.IsInitialisation))
        {
            findings.Add(new AdapterFinding(FindingSeverity.Warning, FindingCategory.Doubtful, initialisation.Reason));
        }

        foreach (string warning in adapter.Warnings)
        {
            findings.Add(new AdapterFinding(FindingSeverity.Warning, FindingCategory.Doubtful, warning));
        }

        NumberChecks.Run(adapter, findings, cancellationToken);
        using BaseModel? model = FindBase(adapter, options, findings);
        result = result with { BaseModel = model?.Folder };
        result = adapter.Format == AdapterFormat.Mlx
            ? result with { Readers = ForMlx(adapter, path, model, findings) }
            : result with { Readers = [ByConversion(path, options, findings, cancellationToken)] };
        return options.Reference is null
            ? result
            : result with { Reference = ReferenceCheck.Run(adapter, options.Reference, model, options, findings, cancellationToken) };
    }

    private static BaseModel? FindBase(LoraAdapter adapter, AdapterTestOptions options, FindingList findings)
    {
        BaseModel? model = BaseModelLocator.Open(adapter.Path, adapter.BaseModelName, options.BaseModel, !options.NoBaseLookup, out _);
        if (model is null)
        {
            findings.Add(new AdapterFinding(
                FindingSeverity.Information, FindingCategory.NoBase, $"The base model ({adapter.BaseModelName ?? "not recorded"}) was not found, so that names and sizes are not compared with it.")
            {
                Remedy = "Name the base model's folder with -BaseModel (--base).",
            });
        }

        return model;
    }

    private static IReadOnlyList<AdapterReaderVerdict> ForMlx(LoraAdapter adapter, string path, BaseModel? model, FindingList findings)
    {
        if (model is not null)
        {
            BaseChecks.Run(adapter, model, findings);
        }

        IReadOnlyList<AdapterReaderVerdict> verdicts = MlxReaders.Judge(path, adapter.Files[0], model);
        foreach (AdapterReaderVerdict verdict in verdicts.Where(verdict => !verdict.IsRight))
        {
            FindingSeverity severity = verdict.Reader switch
            {
                MlxReaders.Current => FindingSeverity.Error,
                MlxReaders.Old => FindingSeverity.Warning,
                _ => FindingSeverity.Information,
            };
            findings.Add(new AdapterFinding(
                severity, FindingCategory.Reader, $"{verdict.Reader} {(verdict.Loads ? "computes something else" : "does not load it")}: {verdict.Reason}.")
            {
                Remedy = severity == FindingSeverity.Error ? "Repair the adapter: Repair-MlxAdapter (sway repair), with -UpdateLayout (--update-layout) for older layouts." : null,
            });
        }

        return verdicts;
    }

    /// <summary>PEFT's and Megatron's adapters meet mlx-lm only by conversion, whose plan tells all that the base does not fit.</summary>
    private static AdapterReaderVerdict ByConversion(string path, AdapterTestOptions options, FindingList findings, CancellationToken cancellationToken)
    {
        const string Reader = "mlx-lm, after conversion";
        var conversion = new ConversionOptions { BaseModel = options.BaseModel, NoBaseLookup = options.NoBaseLookup, AdapterName = options.AdapterName };
        try
        {
            using ConversionPlan plan = AdapterConverter.Plan(path, conversion, cancellationToken);
            foreach (string warning in plan.Summary.Warnings)
            {
                findings.Add(new AdapterFinding(FindingSeverity.Information, FindingCategory.Doubtful, warning));
            }

            // A plan is made of headers; a conversion meets the numbers when it reads them, and refuses these.
            return findings.Has(RefusalCategory.NonFinite)
                ? new AdapterReaderVerdict(Reader, false, false, nameof(RefusalCategory.NonFinite))
                : new AdapterReaderVerdict(Reader, true, true, null);
        }
        catch (ConversionRefusedException refused)
        {
            findings.AddRange(refused.Refusals);
            return new AdapterReaderVerdict(Reader, false, false, string.Join("; ", refused.Refusals.Select(refusal => refusal.Category).Distinct()));
        }
    }

    private static void Require(string path)
    {
        if (!Path.Exists(path))
        {
            throw new FileNotFoundException($"{path} does not exist.", path);
        }
    }
}
