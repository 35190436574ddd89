using System.Security.Cryptography;

namespace Sway.IO;

/// <summary>
/// A folder or a file that appears whole or not at all: written under a temporary name beside its place, flushed,
/// then renamed. Disposing without <see cref="Commit"/> removes what was written.
/// </summary>
internal sealed class AtomicDirectory : IDisposable
{
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
            ?? throw new OutputException($"{destination} cannot be an output folder.") { Path = destination };
        Directory.CreateDirectory(parent);
        string temporary = TemporaryName(full);
        Directory.CreateDirectory(temporary);
        return new AtomicDirectory(full, temporary);
    }

    /// <summary>Puts the folder in its place.</summary>
    /// <param name="replace">Replaces an existing folder; otherwise an existing one is an error.</param>
    public void Commit(bool replace)
    {
        DiskSync.FlushDirectory(TemporaryPath);
        string? old = null;
        if (replace && Directory.Exists(_destination))
        {
            old = TemporaryName(_destination);
            Directory.Move(_destination, old);
        }

        try
        {
            Directory.Move(TemporaryPath, _destination);
        }
        catch (IOException e) when (Directory.Exists(_destination) || File.Exists(_destination))
        {
            if (old is not null && !Directory.Exists(_destination))
            {
                Directory.Move(old, _destination);
                old = null;
            }

            throw new OutputException($"{_destination} exists already.", e) { Path = _destination, Remedy = "Use -Force (--force) to replace it." };
        }
        finally
        {
            if (old is not null)
            {
                Directory.Delete(old, recursive: true);
            }
        }

        _committed = true;
        DiskSync.FlushDirectory(Path.GetDirectoryName(_destination)!);
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
