using System.CommandLine;
using System.Diagnostics;
using Sway.Adapters;
using Sway.Cli.Diagnostics;
using Sway.Cli.Output;
using Sway.Conversion;

namespace Sway.Cli.Commands;

/// <summary><c>sway quickstart</c>: the whole way on the samples, with every result proved.</summary>
internal static class QuickstartCommand
{
    internal static Command Create() =>
        new Command("quickstart", "Show on the sample adapters what Sway does: list, convert, verify, refuse, measure. Takes seconds.").Runs(Run);

    private static int Run(CommandContext context)
    {
        Samples samples = Samples.Find() ?? throw new UsageException(
            "no samples/ folder above the current one; run quickstart in a checkout of Sway's repository.");
        var clock = Stopwatch.StartNew();
        CommandOutput output = context.Output;
        if (!output.IsJson)
        {
            output.Line($"The sample adapters in {Format.Path(samples.Folder)}, from their headers alone:");
            output.Line();
            AdapterTables.Write(
                output,
                [.. samples.PeftAdapters.Concat(samples.MlxAdapters)
                    .Select(path => AdapterInspector.Inspect(path, cancellationToken: context.Token))]);
            output.Line("Each PEFT adapter converted to mlx-lm, read back, and every module's delta compared:");
            output.Line();
        }

        using var folder = new TemporaryFolder();
        List<SampleOutcome> outcomes = samples.PeftAdapters
            .Select(path => Convert(path, folder.Path, context.Token))
            .ToList();
        if (output.IsJson)
        {
            WriteJson(output, outcomes);
        }
        else
        {
            WriteText(output, outcomes);
        }

        var measurement = new SampleGains(samples);
        List<SampleGain> gains = [.. measurement.Measure(samples.PeftAdapters.Concat(samples.MlxAdapters), context.Token)];
        SampleGainTable.Write(output, measurement, gains);
        if (!output.IsJson)
        {
            WriteEnd(output, outcomes, gains, samples, clock.Elapsed);
        }

        return outcomes.TrueForAll(outcome => outcome.IsAsExpected) && gains.TrueForAll(gain => gain.IsAsExpected) ? ExitCode.Done : ExitCode.Failed;
    }

    private static SampleOutcome Convert(string source, string parent, CancellationToken cancellationToken)
    {
        string name = Path.GetFileName(source);
        try
        {
            AdapterConversionResult result = AdapterConverter.Convert(
                source,
                Path.Combine(parent, name),
                new ConversionOptions { Verify = true },
                cancellationToken: cancellationToken);
            return new(name, source, result, null);
        }
        catch (SwayException exception)
        {
            return new(name, source, null, exception);
        }
    }

    private static void WriteJson(CommandOutput output, List<SampleOutcome> outcomes)
    {
        foreach (SampleOutcome outcome in outcomes)
        {
            if (outcome.Result is { } result)
            {
                output.Json(result, CliJson.Default.AdapterConversionResult);
            }
            else
            {
                output.Error(outcome.Error!, outcome.Source);
            }
        }
    }

    private static void WriteText(CommandOutput output, List<SampleOutcome> outcomes)
    {
        TextTable table = new TextTable()
            .Column("Name").Column("Result").Column("Method").Column("Rank", right: true)
            .Column("Scale", right: true).Column("Modules", right: true).Column("Type").Column("Written", right: true)
            .Column("Deltas against the source", wrap: true);
        foreach (SampleOutcome outcome in outcomes)
        {
            table.Row(outcome.Result is { } result ? Converted(outcome.Name, result) : [outcome.Name, "refused", "", "", "", "", "", "", "nothing written"]);
        }

        table.WriteTo(output);
        foreach (SampleOutcome outcome in outcomes.Where(outcome => outcome.Error is not null))
        {
            output.Line($"{outcome.Name}: {outcome.Error!.Message}");
            output.Line();
        }
    }

    private static string[] Converted(string name, AdapterConversionResult result) =>
    [
        name, "converted", result.Method, Format.Count(result.Rank), Format.Number(result.Scale), Format.Count(result.ModuleCount),
        Format.List(result.DTypes), Format.Bytes(result.WrittenBytes),
        result.VerifiedDifference is { } difference ? Compared(difference) : "not verified",
    ];

    private static string Compared(double difference) => difference == 0 ? "equal bit for bit" : "within " + Format.Difference(difference);

    private static void WriteEnd(
        CommandOutput output, List<SampleOutcome> outcomes, List<SampleGain> gains, Samples samples, TimeSpan elapsed)
    {
        string[] surprises =
        [
            .. outcomes.Where(outcome => !outcome.IsAsExpected).Select(outcome => outcome.Name)
                .Union(gains.Where(gain => !gain.IsAsExpected).Select(gain => gain.Name)),
        ];
        int converted = outcomes.Count(outcome => outcome.Result is not null);
        string counts = $"{converted} converted, {outcomes.Count - converted} refused; {gains.Count(gain => gain.Error is null)} measured, {gains.Count(gain => gain.Error is not null)} refused";
        output.Line(surprises.Length == 0
            ? $"As expected: {counts}, in {Format.Seconds(elapsed.TotalSeconds)}. The temporary outputs are removed."
            : $"NOT as expected: {string.Join(", ", surprises)} ({counts}).");
        string sample = Format.Path(Path.Combine(samples.Folder, "adapters", "bible"));
        output.Line();
        output.Line("What to do next (sway stands for: dotnet run --project src/Sway.Cli -c Release --)");
        (string Command, string Effect)[] steps =
        [
            ($"sway inspect {sample} --detailed", "every module of an adapter"),
            ($"sway explain {sample} --to mlx", "what becomes of each tensor, and why"),
            ("sway score --model BASE --adapter ADAPTER --input PROMPTS.jsonl", "your own prompts, base beside adapted"),
            ("sway convert YOUR-ADAPTER --to mlx --verify", "your own adapter, into YOUR-ADAPTER-mlx"),
            ("sway doctor", "what this machine offers"),
        ];
        int width = steps.Max(step => step.Command.Length);
        foreach ((string command, string effect) in steps)
        {
            output.Line($"  {command.PadRight(width)}  {effect}");
        }
    }
}

/// <summary>What became of one sample: a result or a refusal.</summary>
internal sealed record SampleOutcome(string Name, string Source, AdapterConversionResult? Result, SwayException? Error)
{
    /// <summary>True when it is converted and proved, or refused where it must be.</summary>
    internal bool IsAsExpected => Name == Samples.RefusedName
        ? Error is ConversionRefusedException
        : Result is { VerifiedDifference: <= 1e-6 };
}
