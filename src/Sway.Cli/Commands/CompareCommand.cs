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
        var command = new Command("compare", "Compare the deltas of two adapters: norms, cosine, difference, effective rank.") { first, second };
        return command.Runs(context =>
        {
            IReadOnlyList<LoraAdapterComparison> rows = AdapterComparer.Compare(
                ExistingPath.Of(context.Value(first)), ExistingPath.Of(context.Value(second)), context.Token);
            Write(context.Output, rows);
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
                Format.Number(row.RelativeDifference), Format.Number(row.FirstEffectiveRank), Format.Number(row.SecondEffectiveRank));
        }

        table.WriteTo(output);
    }
}
