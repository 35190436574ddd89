using System.CommandLine;
using Sway.Cli.Output;
using Sway.Conversion;

namespace Sway.Cli.Commands;

/// <summary><c>sway explain</c>: what a conversion makes of each source tensor, and why.</summary>
internal static class ExplainCommand
{
    internal static Command Create()
    {
        Argument<string> path = CommonOptions.RefuseOptions(
            new Argument<string>("PATH") { Description = "An adapter's folder, or a weights file in it." });
        var options = new ConversionOptionSet();
        var command = new Command("explain", "Say what a conversion makes of each source tensor, and why. Writes nothing.") { path };
        options.AddTo(command);
        return command.Runs(context => Run(context, context.Value(path), options.Read(context)));
    }

    private static int Run(CommandContext context, string path, ConversionOptions options) => context.ForEach([path], item =>
    {
        using ConversionPlan plan = AdapterConverter.Plan(ExistingPath.Of(item), options, context.Token);
        if (context.Output.IsJson)
        {
            foreach (TensorFate fate in plan.Fates)
            {
                context.Output.Json(fate, CliJson.Default.TensorFate);
            }

            return;
        }

        TextTable table = new TextTable().Column("Source tensor", wrap: true).Column("Becomes", wrap: true).Column("How", wrap: true);
        foreach (TensorFate fate in plan.Fates)
        {
            string becomes = fate.Outputs.Count == 0 ? "(left out)" : string.Join('\n', fate.Outputs);
            table.Row(fate.Source, becomes, fate.Explanation);
        }

        table.WriteTo(context.Output);
        context.Output.Line($"{plan.TensorFileName}: {plan.Tensors.Count} tensors");
    });
}
