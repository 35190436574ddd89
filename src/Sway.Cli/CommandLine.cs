using System.CommandLine;
using System.CommandLine.Invocation;
using System.Globalization;
using System.Text;
using Sway.Cli.Commands;
using Sway.Cli.Commands.Measuring;

namespace Sway.Cli;

/// <summary>The list of commands, and how an invocation begins and ends.</summary>
internal static class CommandLine
{
    /// <summary>Every command, one line each.</summary>
    internal static RootCommand CreateRoot() => new("Makes LoRA adapters safe to move and easy to judge.")
    {
        QuickstartCommand.Create(),
        InspectCommand.Create(),
        ConvertCommand.Create(),
        ExplainCommand.Create(),
        RepairCommand.Create(),
        MergeCommand.Create(),
        CompareCommand.Create(),
        ScoreCommand.Create(),
        PerplexityCommand.Create(),
        DivergenceCommand.Create(),
        NextTokenCommand.Create(),
        GenerateCommand.Create(),
        TokenizeCommand.Create(),
        DetokenizeCommand.Create(),
        DoctorCommand.Create(),
    };

    /// <summary>Runs on the process's console.</summary>
    internal static int Run(string[] args)
    {
        // Numbers on the command line and in the output never depend on the machine's language.
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        CultureInfo.CurrentUICulture = CultureInfo.InvariantCulture;
        using TextWriter output = OpenOutput();
        return Run(args, output, Console.Error);
    }

    /// <summary>Runs with the given writers and returns the exit code: 0 done, 1 something failed, 2 wrong usage.</summary>
    internal static int Run(string[] args, TextWriter output, TextWriter error)
    {
        RootCommand root = CreateRoot();
        ParseResult parse = root.Parse(args);
        var invocation = new InvocationConfiguration
        {
            Output = output,
            Error = error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        if (args.Length == 0)
        {
            root.Parse("--help").Invoke(invocation);
            output.WriteLine("New here? Try: sway quickstart");
            return ExitCode.Usage;
        }

        if (parse.Action is ParseErrorAction)
        {
            foreach (string message in parse.Errors.Select(problem => problem.Message).Distinct(StringComparer.Ordinal))
            {
                error.WriteLine("sway: " + message);
            }

            string command = parse.CommandResult.Command is RootCommand ? "sway" : "sway " + parse.CommandResult.Command.Name;
            error.WriteLine($"Usage and options: {command} --help");
            return ExitCode.Usage;
        }

        int code = parse.Invoke(invocation);
        output.Flush();
        return code;
    }

    private static TextWriter OpenOutput()
    {
        if (!Console.IsOutputRedirected)
        {
            return Console.Out;
        }

        // A file or another program gets UTF-8 whatever the console's code page is, and one write for many lines.
        return new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false), 1 << 14);
    }
}
