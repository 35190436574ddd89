using System.CommandLine;
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
        var force = new Option<bool>("--force") { Description = "Replace an output that exists." };
        var command = new Command("merge", "Merge an adapter into its base model.")
        {
            paths, destination, baseModel, dequantize, safeMerge, force,
        };
        return command.Runs(context =>
        {
            string[] sources = context.Value(paths);
            if (sources.Length > 1)
            {
                throw new UsageException("merge takes one adapter.");
            }

            var options = new MergeOptions
            {
                BaseModel = context.Value(baseModel),
                Dequantize = context.Value(dequantize),
                SafeMerge = context.Value(safeMerge),
                Force = context.Value(force),
            };
            return context.ForEach(sources, path => Merge(context, ExistingPath.Of(path), context.Value(destination), options));
        });
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
