using System.Runtime.InteropServices;
using Sway.Cli.Output;

namespace Sway.Cli;

/// <summary>What a body that works on items gets, however its arguments were read.</summary>
/// <param name="Output">Where results and errors go.</param>
/// <param name="Token">Cancelled by Ctrl+C or a request to terminate.</param>
internal record ItemContext(CommandOutput Output, CancellationToken Token)
{
    /// <summary>Runs <paramref name="action"/> for every path; a failing one is reported and the next one follows.</summary>
    /// <returns>The exit code of the whole.</returns>
    internal int ForEach(IEnumerable<string> paths, Action<string> action) => ForEach(paths, Output.Error, action);

    /// <summary>Runs <paramref name="action"/> for every item of an input; a failing one is reported and the next one follows.</summary>
    /// <returns>The exit code of the whole.</returns>
    internal int ForEach(IEnumerable<InputItem> items, Action<InputItem> action) =>
        ForEach(items, (exception, item) => Output.ItemError(exception, item.Id), action);

    private int ForEach<T>(IEnumerable<T> items, Action<Exception, T> report, Action<T> action)
    {
        int code = ExitCode.Done;
        foreach (T item in items)
        {
            Token.ThrowIfCancellationRequested();
            try
            {
                action(item);
            }
            catch (Exception exception) when (exception is not (OperationCanceledException or UsageException))
            {
                report(exception, item);
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
        return Guard(output, error, body, stop.Token);
    }

    /// <summary>
    /// The same for a body that takes a few milliseconds and writes no file: a signal ends the process as it ends any, for to wait for
    /// signals takes as long to begin as a part of the work.
    /// </summary>
    internal static int ExecuteBrief(CommandOutput output, TextWriter error, Func<CancellationToken, int> body) =>
        Guard(output, error, body, CancellationToken.None);

    private static int Guard(CommandOutput output, TextWriter error, Func<CancellationToken, int> body, CancellationToken stop)
    {
        try
        {
            return body(stop);
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
