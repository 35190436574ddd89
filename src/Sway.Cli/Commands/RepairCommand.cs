using System.CommandLine;
using Sway.Adapters.Mlx.Repair;
using Sway.Cli.Output;

namespace Sway.Cli.Commands;

/// <summary><c>sway repair</c>: completes what an mlx-lm adapter's configuration lacks.</summary>
internal static class RepairCommand
{
    internal static Command Create()
    {
        Argument<string[]> paths = CommonOptions.AdapterPaths();
        Option<string?> baseModel = CommonOptions.Base();
        var scale = new Option<double?>("--scale")
        {
            Description = "The factor on the low-rank product that the adapter was trained with, where it is not recorded.",
            HelpName = "X",
        };
        var numLayers = new Option<int?>("--num-layers") { Description = "The base model's number of layers, in place of its configuration.", HelpName = "N" };
        var updateLayout = new Option<bool>("--update-layout")
        {
            Description = "Rewrite the tensors where mlx-lm of today does not load them: flattened experts, .npz, ranks and scales per module.",
        };
        var whatIf = new Option<bool>("--what-if") { Description = "Say what would be changed, and change nothing." };
        var command = new Command("repair", "Complete and correct the configuration of mlx-lm and unsloth adapters from their tensors.")
        {
            paths, baseModel, scale, numLayers, updateLayout, whatIf,
        };
        return command.Runs(context =>
        {
            var options = new AdapterRepairOptions
            {
                BaseModel = context.Value(baseModel),
                Scale = context.Value(scale),
                NumLayers = context.Value(numLayers),
                UpdateLayout = context.Value(updateLayout),
                WhatIf = context.Value(whatIf),
            };
            Check(options);
            return context.ForEach(context.Value(paths), path => Write(context, MlxAdapterRepair.Repair(ExistingPath.Of(path), options, context.Token), options));
        });
    }

    private static void Check(AdapterRepairOptions options)
    {
        if (options.Scale is { } scale && !double.IsFinite(scale))
        {
            throw new UsageException("--scale is not a finite number.");
        }

        if (options.NumLayers is < 1)
        {
            throw new UsageException("--num-layers must be at least 1.");
        }
    }

    private static void Write(CommandContext context, AdapterRepairResult result, AdapterRepairOptions options)
    {
        CommandOutput output = context.Output;
        if (output.IsJson)
        {
            output.Json(result, CliJson.Default.AdapterRepairResult);
            return;
        }

        string verdict = !result.Changed ? "nothing to repair" : options.WhatIf ? "would be repaired" : "repaired";
        output.Line($"{Format.Path(result.FullName)}: {verdict}");
        foreach (RepairedField field in result.Fields)
        {
            output.Line($"  {field.Name}: {Short(field.Before) ?? "absent"} -> {Short(field.After) ?? "removed"} (from {field.Origin})");
        }

        foreach (string change in result.TensorChanges)
        {
            output.Line("  tensors: " + change);
        }

        foreach (string warning in result.Warnings)
        {
            output.Line("  warning: " + warning);
        }
    }

    private static string? Short(string? text) => text is { Length: > 60 } ? text[..57] + "..." : text;
}
