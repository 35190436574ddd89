using System.CommandLine;
using Sway.Cli.Diagnostics;
using Sway.Cli.Output;

namespace Sway.Cli.Commands;

/// <summary><c>sway doctor</c>: what this machine offers Sway, and whether a conversion works on it.</summary>
internal static class DoctorCommand
{
    internal static Command Create()
    {
        var selfTest = new Option<bool>("--self-test") { Description = "Also convert a tiny adapter and verify the result, and compare the MLX engine with the CPU engine." };
        var command = new Command("doctor", "Say what this machine offers, where models are looked for, and what is wrong.") { selfTest };
        return command.Runs(context => Run(context, context.Value(selfTest)));
    }

    private static int Run(CommandContext context, bool selfTest)
    {
        List<DoctorFinding> findings = [.. Doctor.Examine()];
        if (selfTest)
        {
            findings.Add(Doctor.SelfTest(context.Token));
            findings.AddRange(Doctor.CompareEngines(context.Token));
        }

        if (context.Output.IsJson)
        {
            findings.ForEach(finding => context.Output.Json(finding, CliJson.Default.DoctorFinding));
        }
        else
        {
            TextTable table = new TextTable().Column("What").Column("State").Column("Detail", wrap: true);
            findings.ForEach(finding => table.Row(finding.Name, finding.Ok ? "ok" : "WRONG", finding.Detail));
            table.WriteTo(context.Output);
        }

        return findings.TrueForAll(finding => finding.Ok) ? ExitCode.Done : ExitCode.Failed;
    }
}
