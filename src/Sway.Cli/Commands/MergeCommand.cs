using System.CommandLine;
using System.Globalization;
using Sway.Cli.Output;
using Sway.Merging;

namespace Sway.Cli.Commands;

/// <summary><c>sway merge</c>: an adapter into its base model, or several adapters into one.</summary>
internal static class MergeCommand
{
    internal static Command Create()
    {
        Argument<string[]> paths = CommonOptions.AdapterPaths();
        var destination = new Option<string>("--destination", "-o") { Description = "The output folder.", HelpName = "DIR", Required = true };
        Option<string?> baseModel = CommonOptions.Base();
        var dequantize = new Option<bool>("--dequantize") { Description = "Write a quantized base in full precision; else it is quantized again, which moves its outputs." };
        var safeMerge = new Option<bool>("--safe-merge") { Description = "Round the delta before adding it, as PEFT's safe_merge does." };
        var weight = new Option<string?>("--weight") { Description = "The weight of each adapter, separated by commas; 1 each without it.", HelpName = "W,..." };
        Option<CombinationMethod> method = CommonOptions.OneOf<CombinationMethod>(
            "--method", "How several adapters become one; cat is the exact weighted sum, linear is not.", CombinationMethod.Cat);
        var rank = new Option<int?>("--rank") { Description = "The rank that svd and the methods ending in it keep; the largest of the adapters without it.", HelpName = "R" };
        var density = new Option<double>("--density")
        {
            Description = "The share of elements that the ties and magnitude-prune methods keep.",
            HelpName = "D",
            DefaultValueFactory = _ => 0.5,
        };
        var alpha = new Option<double?>("--alpha") { Description = "Alpha, where a source lacks it.", HelpName = "X" };
        var adapterName = new Option<string?>("--adapter-name") { Description = "Which adapter, where one folder or file holds several.", HelpName = "NAME" };
        var whatIf = new Option<bool>("--what-if") { Description = "Say what would be written, and write nothing." };
        var electByCount = new Option<bool>("--elect-by-count") { Description = "Let the ties methods elect a sign by count in place of by sum." };
        var force = new Option<bool>("--force") { Description = "Replace an output that exists." };
        var command = new Command("merge", "Merge an adapter into its base model, or several adapters into one.")
        {
            paths, destination, baseModel, weight, method, rank, density, electByCount, dequantize, safeMerge, alpha, adapterName, force, whatIf,
        };
        return command.Runs(context =>
        {
            string[] sources = context.Value(paths);
            if (sources.Length > 1)
            {
                var combination = new CombinationOptions
                {
                    Method = context.Value(method),
                    Weights = Weights(context.Value(weight), sources.Length),
                    Rank = context.Value(rank),
                    Density = context.Value(density),
                    ElectByCount = context.Value(electByCount),
                    BaseModel = context.Value(baseModel),
                    Alpha = context.Value(alpha),
                    Force = context.Value(force),
                    WhatIf = context.Value(whatIf),
                };
                if (combination.Density is not (>= 0 and <= 1) || combination.Rank is < 1)
                {
                    throw new UsageException("--density is a share between 0 and 1, --rank at least 1.");
                }

                using var progress = new ConsoleProgress(context.Output, Path.GetFileName(context.Value(destination)));
                Write(context.Output, AdapterCombiner.Combine([.. sources.Select(ExistingPath.Of)], context.Value(destination), combination, progress, context.Token));
                return ExitCode.Done;
            }

            var options = new MergeOptions
            {
                BaseModel = context.Value(baseModel),
                Dequantize = context.Value(dequantize),
                SafeMerge = context.Value(safeMerge),
                AdapterName = context.Value(adapterName),
                Alpha = context.Value(alpha),
                Force = context.Value(force),
                WhatIf = context.Value(whatIf),
            };
            return context.ForEach(sources, path => Merge(context, ExistingPath.Of(path), context.Value(destination), options));
        });
    }

    private static double[] Weights(string? text, int count)
    {
        if (text is null)
        {
            return [];
        }

        string[] parts = text.Split(',');
        double[] weights = new double[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            if (!double.TryParse(parts[i], NumberStyles.Float, CultureInfo.InvariantCulture, out weights[i]) || !double.IsFinite(weights[i]))
            {
                throw new UsageException($"--weight: {parts[i]} is not a number.");
            }
        }

        return weights.Length == count ? weights : throw new UsageException($"--weight has {weights.Length} numbers for {count} adapters.");
    }

    private static void Merge(CommandContext context, string source, string destination, MergeOptions options)
    {
        using var progress = new ConsoleProgress(context.Output, Path.GetFileName(destination));
        Write(context.Output, AdapterMerger.Merge(source, destination, options, progress, context.Token));
    }

    private static void Write(CommandOutput output, AdapterMergeResult result)
    {
        if (output.IsJson)
        {
            output.Json(result, CliJson.Default.AdapterMergeResult);
            return;
        }

        output.Line($"{string.Join(" + ", result.Sources.Select(Format.Path))} -> {Format.Path(result.FullName)}");
        output.Line($"  {result.Method}, {Format.Count(result.ModuleCount)} modules, {Format.Count(result.TensorCount)} tensors, {Format.Bytes(result.WrittenBytes)}");
        foreach (string warning in result.Warnings)
        {
            output.Line("  warning: " + warning);
        }
    }
}
