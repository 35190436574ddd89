using System.Runtime.InteropServices;
using Sway.Cli.Output;

namespace Sway.Cli;

/// <summary>What a body that works on items gets, however its arguments were read.</summary>
/// <param name="Output">Where results and errors go.</param>
/// <param name="Token">Cancelled by Ctrl+C or a request to terminate.</param>
internal record ItemContext(CommandOutput Output, CancellationToken Token)
{
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

/// <summary>How a body runs: stopped by signals, its failures named and turned into the exit code.</summary>
internal static class CommandBody
{
    /// <summary>Runs a body and returns the exit code.</summary>
    internal static int Execute(CommandOutput output, TextWriter error, Func<CancellationToken, int> body)
    {
        using var stop = new CancellationTokenSource();
        using PosixSignalRegistration interrupt = CancelOn(PosixSignal.SIGINT, stop);
        using PosixSignalRegistration terminate = CancelOn(PosixSignal.SIGTERM, stop);
        try
        {
            return body(stop.Token);
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
