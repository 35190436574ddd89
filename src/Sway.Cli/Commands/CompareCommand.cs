using System.CommandLine;
using Sway.Cli.Output;
using Sway.Merging;

namespace Sway.Cli.Commands;

/// <summary><c>sway compare</c>: where two adapters differ, module by module.</summary>
internal static class CompareCommand
{
    internal static Command Create()
    {
        Argument<string> first = new("PATH") { Description = "An adapter." };
        Argument<string> second = new("OTHER") { Description = "Another one." };
        Option<string?> baseModel = CommonOptions.Base();
        Option<bool> noBase = CommonOptions.NoBase();
        var alpha = new Option<double?>("--alpha") { Description = "Alpha, where an adapter lacks it.", HelpName = "X" };
        var command = new Command("compare", "Compare the deltas of two adapters of any formats: norms, cosine, difference, effective rank.")
        {
            first, second, baseModel, noBase, alpha,
        };
        return command.Runs(context =>
        {
            if (context.Value(baseModel) is not null && context.Value(noBase))
            {
                throw new UsageException("--base and --no-base exclude each other.");
            }

            var options = new ComparisonOptions { BaseModel = context.Value(baseModel), NoBaseLookup = context.Value(noBase), Alpha = context.Value(alpha) };
            AdapterComparison comparison = AdapterComparer.Compare(
                ExistingPath.Of(context.Value(first)), ExistingPath.Of(context.Value(second)), options, context.Token);
            Write(context.Output, comparison.Modules);
            foreach (string warning in comparison.Warnings)
            {
                context.Output.Message("warning: " + warning);
            }

            return ExitCode.Done;
        });
    }

    private static void Write(CommandOutput output, IReadOnlyList<LoraAdapterComparison> rows)
    {
        if (output.IsJson)
        {
            foreach (LoraAdapterComparison row in rows)
            {
                output.Json(row, CliJson.Default.LoraAdapterComparison);
            }

            return;
        }

        TextTable table = new TextTable().Column("Module").Column("In").Column("Norm 1", right: true).Column("Norm 2", right: true)
            .Column("Cosine", right: true).Column("Difference", right: true).Column("Rank 1", right: true).Column("Rank 2", right: true);
        foreach (LoraAdapterComparison row in rows)
        {
            table.Row(
                row.Module, row.In, Format.Number(row.FirstNorm), Format.Number(row.SecondNorm), row.Cosine is { } cosine ? Format.Number(cosine) : "",
                Format.Number(row.RelativeDifference), Rank(row.FirstEffectiveRank), Rank(row.SecondEffectiveRank));
        }

        table.WriteTo(output);
    }

    private static string Rank(double? value) => value is { } rank ? Format.Number(rank) : "";
}
