using System.ComponentModel;
using System.Management.Automation;
using Microsoft.PowerShell.Commands;

namespace Sway.PowerShell;

/// <summary>Base of every cmdlet that does work of the library: stopping, failures as error records, paths of parameters.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class SwayCommand : PSCmdlet, IDisposable
{
    private readonly CancellationTokenSource _stop = new();

    /// <summary>Cancelled when the pipeline is stopped.</summary>
    protected CancellationToken StopToken => _stop.Token;

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc/>
    protected override void StopProcessing() => _stop.Cancel();

    /// <summary>Releases what the cmdlet holds; the engine calls it however the pipeline ends.</summary>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            _stop.Dispose();
        }
    }

    /// <summary>
    /// Runs work of the library and turns its failure into an error record for this item. Nothing may be written inside
    /// <paramref name="work"/>: an exception by which PowerShell ends a pipeline must never be caught here.
    /// </summary>
    /// <returns>False when the work failed and the error is written.</returns>
    protected bool TryRun<T>(object target, Func<T> work, out T result)
    {
        if (Attempt(target, work, out result) is not { } error)
        {
            return true;
        }

        WriteError(error);
        return false;
    }

    /// <summary>As <see cref="TryRun"/>, for work without which no item can succeed: its failure ends the cmdlet.</summary>
    protected T RunOrEnd<T>(object target, Func<T> work)
    {
        if (Attempt(target, work, out T result) is { } error)
        {
            ThrowTerminatingError(error);
        }

        return result;
    }

    /// <summary>Runs work of the library; gives its failure as the record to be written, or null.</summary>
    protected ErrorRecord? Attempt<T>(object target, Func<T> work, out T result)
    {
        try
        {
            result = work();
            return null;
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            throw new PipelineStoppedException();
        }
        catch (Exception exception) when (exception is not (PipelineStoppedException or FlowControlException))
        {
            result = default!;
            return ErrorRecords.Of(exception, target);
        }
    }

    /// <summary>An absolute path of the file system for a parameter that names one folder, existing or not.</summary>
    protected string ResolveFolder(string path, string parameter, bool mustExist)
    {
        string full = ResolveOne(path);
        if (mustExist && !Directory.Exists(full))
        {
            ThrowTerminatingError(ErrorRecords.ParameterFolderNotFound(full, parameter));
        }

        return full;
    }

    /// <summary>An absolute path of the file system for a parameter that names one file, existing or not.</summary>
    protected string ResolveFile(string path) => ResolveOne(path);

    /// <summary>An absolute path of the file system for a parameter that names one adapter: a folder or a file.</summary>
    protected string ResolveExisting(string path, string parameter)
    {
        string full = ResolveOne(path);
        if (!System.IO.Path.Exists(full))
        {
            ThrowTerminatingError(ErrorRecords.ParameterFolderNotFound(full, parameter));
        }

        return full;
    }

    /// <summary>
    /// The absolute paths that one argument names: a path that exists is taken as it is written, anything else as a pattern.
    /// </summary>
    /// <returns>The paths, or the error to write.</returns>
    protected (List<string> Found, ErrorRecord? Error) FindExisting(string path)
    {
        try
        {
            string literal = SessionState.Path.GetUnresolvedProviderPathFromPSPath(path, out ProviderInfo provider, out _);
            if (!IsFileSystem(provider))
            {
                return ([], ErrorRecords.NotFileSystem(path, provider.Name));
            }

            if (System.IO.Path.Exists(literal))
            {
                return ([System.IO.Path.TrimEndingDirectorySeparator(literal)], null);
            }

            List<string> found = WildcardPattern.ContainsWildcardCharacters(path) || path.Contains('`', StringComparison.Ordinal)
                ? [.. GetResolvedProviderPathFromPSPath(path, out _)]
                : [];
            return found.Count > 0
                ? (found.ConvertAll(System.IO.Path.TrimEndingDirectorySeparator), null)
                : ([], ErrorRecords.PathNotFound(path));
        }
        catch (Exception exception) when (exception is not (PipelineStoppedException or FlowControlException))
        {
            return ([], ErrorRecords.PathNotFound(path, exception));
        }
    }

    private protected static bool IsFileSystem(ProviderInfo provider) => provider.ImplementingType == typeof(FileSystemProvider);

    /// <summary>Ends the command where a number is NaN or infinite.</summary>
    private protected void RequireFinite(double? value, string parameter)
    {
        if (value is { } number && !double.IsFinite(number))
        {
            ThrowTerminatingError(ErrorRecords.ParameterInvalid(parameter, "must be a finite number"));
        }
    }

    private string ResolveOne(string path)
    {
        string full = SessionState.Path.GetUnresolvedProviderPathFromPSPath(path, out ProviderInfo provider, out _);
        if (!IsFileSystem(provider))
        {
            ThrowTerminatingError(ErrorRecords.NotFileSystem(path, provider.Name));
        }

        return System.IO.Path.TrimEndingDirectorySeparator(full);
    }
}
