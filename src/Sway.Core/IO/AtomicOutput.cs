using System.Security.Cryptography;

namespace Sway.IO;

/// <summary>
/// A folder or a file that appears whole or not at all: written under a temporary name beside its place, flushed,
/// then renamed. Disposing without <see cref="Commit"/> removes what was written.
/// </summary>
internal sealed class AtomicDirectory : IDisposable
{
    private const int MaximumAttempts = 10;

    private readonly string _destination;
    private bool _committed;

    private AtomicDirectory(string destination, string temporary)
    {
        _destination = destination;
        TemporaryPath = temporary;
    }

    /// <summary>Where the content is to be written.</summary>
    public string TemporaryPath { get; }

    public static AtomicDirectory Create(string destination)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(destination));
        string parent = Path.GetDirectoryName(full)
            ?? throw new OutputException(OutputErrorKind.Invalid, $"{destination} cannot be an output folder.") { Path = destination };
        Directory.CreateDirectory(parent);
        string temporary = TemporaryName(full);
        Directory.CreateDirectory(temporary);
        return new AtomicDirectory(full, temporary);
    }

    /// <summary>Puts the folder in its place.</summary>
    /// <param name="replace">Replaces an existing folder; otherwise an existing one is an error.</param>
    /// <param name="cancellationToken">The last moment to stop: what was written is then removed.</param>
    public void Commit(bool replace, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        DiskSync.FlushDirectory(TemporaryPath);
        int attempts = 0;
        while (!TryPlace(replace))
        {
            // Another process put its result there in between; with -Force the last one stays.
            if (!replace || ++attempts == MaximumAttempts)
            {
                throw new OutputException(OutputErrorKind.Exists, $"{_destination} exists already.") { Path = _destination };
            }
        }

        _committed = true;
        DiskSync.FlushDirectory(Path.GetDirectoryName(_destination)!);
    }

    /// <summary>False when something else has taken the place. What was there before is never lost to an error.</summary>
    private bool TryPlace(bool replace)
    {
        string? old = null;
        if (replace && Directory.Exists(_destination))
        {
            string aside = TemporaryName(_destination);
            try
            {
                Directory.Move(_destination, aside);
                old = aside;
            }
            catch (DirectoryNotFoundException)
            {
                // Another process has moved it away in between, to replace it too.
            }
        }

        bool taken = false;
        try
        {
            Directory.Move(TemporaryPath, _destination);
        }
        catch (Exception e)
        {
            taken = e is IOException && System.IO.Path.Exists(_destination);
            if (!taken)
            {
                if (old is not null)
                {
                    Directory.Move(old, _destination);
                }

                throw;
            }
        }

        if (old is not null)
        {
            Directory.Delete(old, recursive: true);
        }

        return !taken;
    }

    public void Dispose()
    {
        if (!_committed && Directory.Exists(TemporaryPath))
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
