using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Sway.IO;

/// <summary>When bytes reach the disk, beyond what the runtime's files offer.</summary>
internal static partial class DiskSync
{
    // SYNC_FILE_RANGE_WRITE: start, and wait for nothing.
    private const uint StartOnly = 2;

    private static volatile bool s_startsWriteBack = OperatingSystem.IsLinux();

    /// <summary>
    /// Lets the system begin to write a part of a file to the disk, so that the flush at the end finds little left to do; the disk
    /// would stand idle until then. Only a hint: nothing is durable, and an error is reported, before that flush.
    /// </summary>
    public static void StartWriteBack(SafeFileHandle handle, long offset, long length)
    {
        if (!s_startsWriteBack)
        {
            return;
        }

        try
        {
            _ = SyncFileRange(handle, offset, length, StartOnly);
        }
        catch (EntryPointNotFoundException)
        {
            s_startsWriteBack = false;
        }
    }

    /// <summary>Flushes a folder's entries, without which a rename is not durable on Unix. Does nothing where the system has no such call or refuses it.</summary>
    public static void FlushDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        int descriptor = Open(path, 0);
        if (descriptor >= 0)
        {
            _ = FSync(descriptor);
            _ = Close(descriptor);
        }
    }

    [LibraryImport("libc", EntryPoint = "sync_file_range")]
    private static partial int SyncFileRange(SafeFileHandle descriptor, long offset, long length, uint flags);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int FSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
