using System.CommandLine;
using System.Runtime.InteropServices;
using Sway.Cli.Output;

namespace Sway.Cli;

/// <summary>What a command's body gets.</summary>
/// <param name="Parse">The values of its options and arguments.</param>
/// <param name="Output">Where results and errors go.</param>
/// <param name="Token">Cancelled by Ctrl+C or a request to terminate.</param>
internal sealed record CommandContext(ParseResult Parse, CommandOutput Output, CancellationToken Token)
{
    /// <summary>The value of an option, which has a default where it may be absent.</summary>
    internal T Value<T>(Option<T> option) => Parse.GetValue(option)!;

    /// <summary>The value of an argument.</summary>
    internal T Value<T>(Argument<T> argument) => Parse.GetValue(argument)!;

    /// <summary>Runs <paramref name="action"/> for every item; a failing one is reported and the next one follows.</summary>
    /// <returns>The exit code of the whole.</returns>
    internal int ForEach(IEnumerable<string> paths, Action<string> action)
    {
        int code = ExitCode.Done;
        foreach (string path in paths)
        {
            try
            {
                action(path);
            }
            catch (Exception exception) when (exception is not (OperationCanceledException or UsageException))
            {
                Output.Error(exception, path);
                code = ExitCode.Failed;
            }
        }

        return code;
    }
}

/// <summary>Joins a command with its body.</summary>
internal static class CommandExtensions
{
    /// <summary>Adds <c>--json</c> and makes <paramref name="body"/> the command's action, under one rule for errors.</summary>
    internal static Command Runs(this Command command, Func<CommandContext, int> body)
    {
        command.Options.Add(CommonOptions.Json);
        command.SetAction(parse => Execute(parse, body));
        return command;
    }

    private static int Execute(ParseResult parse, Func<CommandContext, int> body)
    {
        TextWriter error = parse.InvocationConfiguration.Error;
        var output = new CommandOutput(parse.InvocationConfiguration.Output, error, parse.GetValue(CommonOptions.Json));
        using var stop = new CancellationTokenSource();
        using PosixSignalRegistration interrupt = CancelOn(PosixSignal.SIGINT, stop);
        using PosixSignalRegistration terminate = CancelOn(PosixSignal.SIGTERM, stop);
        try
        {
            return body(new CommandContext(parse, output, stop.Token));
        }
        catch (UsageException exception)
        {
            error.WriteLine("sway: " + exception.Message);
            return ExitCode.Usage;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            error.WriteLine("sway: stopped; nothing half-written is left behind");
            return ExitCode.Stopped;
        }
        catch (Exception exception)
        {
            output.Error(exception, (exception as SwayException)?.Path);
            return ExitCode.Failed;
        }
    }

    private static PosixSignalRegistration CancelOn(PosixSignal signal, CancellationTokenSource stop) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            stop.Cancel();
        });
}
