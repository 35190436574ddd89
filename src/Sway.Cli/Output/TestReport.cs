using Sway.Validation;

namespace Sway.Cli.Output;

/// <summary>Results of tests for people: a row for each adapter, then what was found.</summary>
internal static class TestReport
{
    private const int ShownModules = 6;

    internal static void Write(CommandOutput output, IReadOnlyList<LoraAdapterTestResult> results)
    {
        bool compared = results.Any(result => result.Reference is not null);
        TextTable table = new TextTable().Column("Name").Column("Format").Column("Result").Column("Errors", right: true).Column("Warnings", right: true)
            .Column("Modules", right: true);
        if (compared)
        {
            table.Column("Difference", right: true);
        }

        foreach (LoraAdapterTestResult result in results)
        {
            List<string> cells =
            [
                result.Name, result.Format ?? "", result.Passed ? "passed" : "failed", Format.Count(result.ErrorCount), Format.Count(result.WarningCount),
                Format.Count(result.ModuleCount),
            ];
            if (compared)
            {
                cells.Add(Difference(result.Reference));
            }

            table.Row([.. cells]);
        }

        table.WriteTo(output);
        foreach (LoraAdapterTestResult result in results)
        {
            foreach (AdapterFinding finding in result.Findings)
            {
                output.Line($"{result.Name}: {Name(finding.Severity)}: [{finding.Category}] {finding.Message}{Modules(finding)}{(finding.Remedy is null ? "" : " " + finding.Remedy)}");
            }
        }
    }

    private static string Difference(ReferenceComparison? reference) => reference switch
    {
        null => "",
        { MaxAbsoluteDifference: 0 } => "none",
        { MaxRelativeDifference: var relative } => Format.Difference(relative),
    };

    private static string Name(FindingSeverity severity) => severity switch
    {
        FindingSeverity.Error => "error",
        FindingSeverity.Warning => "warning",
        _ => "note",
    };

    private static string Modules(AdapterFinding finding) => finding.Modules.Count == 0
        ? ""
        : $" ({string.Join(", ", finding.Modules.Take(ShownModules))}{(finding.Modules.Count > ShownModules ? $" and {finding.Modules.Count - ShownModules} more" : "")})";
}
