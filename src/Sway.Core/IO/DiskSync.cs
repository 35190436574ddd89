using System.Runtime.InteropServices;

namespace Sway.IO;

/// <summary>Makes renames durable: on Unix a folder's entries reach the disk only when the folder itself is flushed.</summary>
internal static partial class DiskSync
{
    /// <summary>Flushes a folder's entries. Does nothing where the system has no such call or refuses it.</summary>
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

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int FSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
