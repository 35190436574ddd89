using System.Security.Cryptography;

namespace Sway.IO;

/// <summary>
/// A folder or a file that appears whole or not at all: written under a temporary name beside its place, flushed,
/// then renamed. Disposing without <see cref="Commit"/> removes what was written.
/// </summary>
internal sealed class AtomicDirectory : IDisposable
{
    private const int MaximumAttempts = 100;

    private readonly string _destination;
    private readonly bool _inSteps;
    private bool _committed;

    // Where the folder lies that was there before, while it is neither replaced nor put back.
    private string? _former;

    private AtomicDirectory(string destination, string temporary, bool inSteps)
    {
        _destination = destination;
        _inSteps = inSteps;
        TemporaryPath = temporary;
    }

    /// <summary>Where the content is to be written.</summary>
    public string TemporaryPath { get; }

    /// <summary>Makes the temporary folder.</summary>
    /// <param name="destination">The folder to be.</param>
    /// <param name="inSteps">Replaces by two renames, as on systems that cannot exchange two names.</param>
    public static AtomicDirectory Create(string destination, bool inSteps = false)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(destination));
        string parent = Path.GetDirectoryName(full)
            ?? throw new OutputException(OutputErrorKind.Invalid, $"{destination} cannot be an output folder.") { Path = destination };
        Directory.CreateDirectory(parent);
        string temporary = TemporaryName(full);
        Directory.CreateDirectory(temporary);
        return new AtomicDirectory(full, temporary, inSteps);
    }

    /// <summary>Puts the folder in its place.</summary>
    /// <param name="replace">Replaces an existing folder; otherwise an existing one is an error.</param>
    /// <param name="cancellationToken">The last moment to stop: what was written is then removed.</param>
    public void Commit(bool replace, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        DiskSync.FlushDirectory(TemporaryPath);

        // Others may replace it in the same moment; with -Force the last one stays.
        for (int attempt = 1; !TryPlace(replace, attempt == MaximumAttempts); attempt++)
        {
            Thread.Sleep(Math.Min(attempt, 10));
        }

        _committed = true;
        DiskSync.FlushDirectory(Path.GetDirectoryName(_destination)!);
    }

    /// <summary>False when something else has taken the place, or left it, in between.</summary>
    private bool TryPlace(bool replace, bool last)
    {
        RenameOutcome outcome = _inSteps ? RenameOutcome.Unsupported : AtomicRename.ToFreePlace(TemporaryPath, _destination);
        if (outcome == RenameOutcome.Taken && replace && Directory.Exists(_destination))
        {
            outcome = AtomicRename.Exchange(TemporaryPath, _destination);
            if (outcome == RenameOutcome.Done)
            {
                // This is now the folder that was there before.
                Directory.Delete(TemporaryPath, recursive: true);
            }
        }

        return outcome == RenameOutcome.Done || TryPlaceInSteps(replace, last);
    }

    /// <summary>The same by renames that another process can come between. What was there before is never lost to an error.</summary>
    private bool TryPlaceInSteps(bool replace, bool last)
    {
        if (replace && Directory.Exists(_destination))
        {
            MoveAside();
        }

        try
        {
            Directory.Move(TemporaryPath, _destination);
        }
        catch (IOException e) when (e is not DirectoryNotFoundException)
        {
            if (replace && !last && !File.Exists(_destination))
            {
                return false;
            }

            if (System.IO.Path.Exists(_destination))
            {
                throw new OutputException(OutputErrorKind.Exists, $"{_destination} exists already.") { Path = _destination };
            }

            throw;
        }

        DeleteFormer();
        return true;
    }

    private void MoveAside()
    {
        string aside = TemporaryName(_destination);
        try
        {
            Directory.Move(_destination, aside);
        }
        catch (DirectoryNotFoundException)
        {
            // Another process has moved it away in between, to replace it too.
            return;
        }

        // An earlier one was replaced by another process meanwhile.
        DeleteFormer();
        _former = aside;
    }

    private void DeleteFormer()
    {
        if (_former is not null)
        {
            Directory.Delete(_former, recursive: true);
            _former = null;
        }
    }

    /// <summary>Removes what was not committed, and puts back what was moved away for it.</summary>
    public void Dispose()
    {
        if (_committed)
        {
            return;
        }

        if (_former is not null && !System.IO.Path.Exists(_destination))
        {
            Directory.Move(_former, _destination);
            _former = null;
        }

        DeleteFormer();
        if (Directory.Exists(TemporaryPath))
        {
            Directory.Delete(TemporaryPath, recursive: true);
        }
    }

    internal static string TemporaryName(string full) => Path.Combine(
        Path.GetDirectoryName(full)!, $".{Path.GetFileName(full)}.tmp-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}");
}

/// <summary>Writes small files atomically.</summary>
internal static class AtomicFile
{
    /// <summary>Replaces a file's content in one step.</summary>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        string full = Path.GetFullPath(path);
        string temporary = AtomicDirectory.TemporaryName(full);
        try
        {
            WriteNew(temporary, content);
            File.Move(temporary, full, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }

        DiskSync.FlushDirectory(Path.GetDirectoryName(full)!);
    }

    /// <summary>Writes a file that must not exist, and flushes it to the disk.</summary>
    public static void WriteNew(string path, ReadOnlySpan<byte> content)
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
        RandomAccess.Write(handle, content, 0);
        RandomAccess.FlushToDisk(handle);
    }
}
