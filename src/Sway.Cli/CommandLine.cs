using System.CommandLine;
using System.CommandLine.Invocation;
using System.Globalization;
using Sway.Cli.Commands;
using Sway.Cli.Commands.Measuring;
using Sway.Cli.Output;

namespace Sway.Cli;

/// <summary>The list of commands, and how an invocation begins and ends.</summary>
internal static class CommandLine
{
    /// <summary>Every command, one line each, in the order in which help lists them.</summary>
    private static readonly Entry[] s_commands =
    [
        new("quickstart", QuickstartCommand.Create),
        new("inspect", InspectCommand.Create),
        new("test", TestCommand.Create),
        new("convert", ConvertCommand.Create),
        new("explain", ExplainCommand.Create),
        new("repair", RepairCommand.Create),
        new("merge", MergeCommand.Create),
        new("compare", CompareCommand.Create),
        new("score", ScoreCommand.Create),
        new("perplexity", PerplexityCommand.Create),
        new("divergence", DivergenceCommand.Create),
        new("next-token", NextTokenCommand.Create),
        new("generate", GenerateCommand.Create),
        new("tokenize", TokenizeCommand.Create),
        new("detokenize", DetokenizeCommand.Create),
        new("cache", CacheCommand.Create),
        new("doctor", DoctorCommand.Create),
    ];

    /// <summary>The whole command line.</summary>
    internal static RootCommand CreateRoot() => CreateRoot(null);

    /// <summary>
    /// What these arguments need. An invocation that begins with a command's name gets that command alone, because to make
    /// the others costs a large part of the start; anything else (help, a misspelling, a directive) gets them all.
    /// </summary>
    private static RootCommand CreateRootFor(string[] args) =>
        args.Length > 0 && Array.Exists(s_commands, command => command.Name == args[0])
            ? CreateRoot(args[0])
            : CreateRoot();

    private static RootCommand CreateRoot(string? only)
    {
        var root = new RootCommand("Makes LoRA adapters safe to move and easy to judge.");
        foreach (Entry entry in s_commands)
        {
            if (only is null || entry.Name == only)
            {
                root.Subcommands.Add(entry.Create());
            }
        }

        return root;
    }

    /// <summary>Runs on the process's console.</summary>
    internal static int Run(string[] args)
    {
        using TextWriter output = StandardOutput.IsRedirected ? new StandardOutput() : Console.Out;
        using var error = new StandardError();
        if (PlainInspect.TryRun(args, output, error, out int code))
        {
            return code;
        }

        // Numbers on the command line and in the output never depend on the machine's language.
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        CultureInfo.CurrentUICulture = CultureInfo.InvariantCulture;
        return RunParsed(args, output, error);
    }

    /// <summary>Runs with the given writers and returns the exit code: 0 done, 1 something failed, 2 wrong usage.</summary>
    internal static int Run(string[] args, TextWriter output, TextWriter error) =>
        PlainInspect.TryRun(args, output, error, out int code) ? code : RunParsed(args, output, error);

    /// <summary>As <see cref="Run(string[], TextWriter, TextWriter)"/>, always through the parser.</summary>
    internal static int RunParsed(string[] args, TextWriter output, TextWriter error)
    {
        RootCommand root = CreateRootFor(args);
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

    private sealed record Entry(string Name, Func<Command> Create);
}
