using System.Runtime.InteropServices;

namespace Sway.IO;

/// <summary>What came of a rename.</summary>
internal enum RenameOutcome
{
    /// <summary>It is done.</summary>
    Done,

    /// <summary>The place is taken; nothing changed.</summary>
    Taken,

    /// <summary>One of the names is nothing's any more; nothing changed.</summary>
    Gone,

    /// <summary>The system or the file system cannot do it in one step, or refuses it; nothing changed.</summary>
    Unsupported,
}

/// <summary>Renames that leave no moment in which another process could come between: Linux and macOS have them, on most file systems.</summary>
internal static partial class AtomicRename
{
    private const int CurrentFolder = -100;

    // renameat2 of Linux and renamex_np of macOS number the same two wishes differently.
    private const uint LinuxNoReplace = 1, LinuxExchange = 2, MacExchange = 2, MacNoReplace = 4;

    // The same numbers on both.
    private const int NoEntry = 2, Exists = 17;

    /// <summary>Gives a file or folder another name, unless something has that name.</summary>
    public static RenameOutcome ToFreePlace(string from, string to) => Rename(from, to, LinuxNoReplace, MacNoReplace);

    /// <summary>Exchanges the names of two files or folders.</summary>
    public static RenameOutcome Exchange(string one, string other) => Rename(one, other, LinuxExchange, MacExchange);

    private static RenameOutcome Rename(string from, string to, uint linux, uint mac)
    {
        try
        {
            if (OperatingSystem.IsLinux())
            {
                return Outcome(RenameAt2(CurrentFolder, from, CurrentFolder, to, linux));
            }

            if (OperatingSystem.IsMacOS())
            {
                return Outcome(RenameX(from, to, mac));
            }
        }
        catch (EntryPointNotFoundException)
        {
            // An older system.
        }

        return RenameOutcome.Unsupported;
    }

    private static RenameOutcome Outcome(int result) => result == 0 ? RenameOutcome.Done : Marshal.GetLastPInvokeError() switch
    {
        NoEntry => RenameOutcome.Gone,
        Exists => RenameOutcome.Taken,
        _ => RenameOutcome.Unsupported,
    };

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameAt2(int fromFolder, string from, int toFolder, string to, uint flags);

    [LibraryImport("libc", EntryPoint = "renamex_np", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameX(string from, string to, uint flags);
}
