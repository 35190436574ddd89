using System.Runtime.InteropServices;

namespace Sway.IO;

/// <summary>
/// What a program can ask of the system's virtual memory, where it is Linux or macOS: addresses without memory behind them, and pages
/// given back while their addresses stay valid. Elsewhere none of it happens, and nobody depends on it.
/// </summary>
internal static unsafe partial class MemoryPages
{
    private const int NoAccess = 0, ReadWrite = 3;
    private const int WillNeed = 3, DontNeed = 4, Free = 5, PopulateRead = 22;

    private static readonly bool s_linux = OperatingSystem.IsLinux(), s_mac = OperatingSystem.IsMacOS();

    // MAP_PRIVATE with the system's own numbers of MAP_ANONYMOUS and MAP_NORESERVE.
    private static readonly int s_unbacked = 2 | (s_linux ? 0x20 | 0x4000 : 0x1000 | 0x40);

    /// <summary>Whether <see cref="Reserve"/> and what belongs to it can be used.</summary>
    public static bool CanReserve => s_linux || s_mac;

    /// <summary>Addresses without memory; null when the system gives none.</summary>
    public static byte* Reserve(long length)
    {
        nint start = Map(0, (nuint)length, NoAccess, s_unbacked, -1, 0);
        return start == -1 ? null : (byte*)start;
    }

    /// <summary>Makes reserved addresses usable; memory comes when they are first touched. False when the system refuses.</summary>
    public static bool Commit(byte* start, long length) => Protect((nint)start, (nuint)length, ReadWrite) == 0;

    /// <summary>Gives back the memory of usable addresses; they stay usable, with undefined contents.</summary>
    public static void Discard(byte* start, long length) => _ = Advise((nint)start, (nuint)length, s_linux ? DontNeed : Free);

    /// <summary>Gives back reserved addresses and their memory.</summary>
    public static void Unreserve(byte* start, long length) => _ = Unmap((nint)start, (nuint)length);

    /// <summary>
    /// Gives back the memory of pages of a read-only file mapping; they come from the file again, mostly from the system's cache of it,
    /// when they are next read. Only memory is at stake, so failures do not matter.
    /// </summary>
    public static void Forget(byte* start, long length) => AdviseInner(start, length, DontNeed);

    /// <summary>Has the pages of a file mapping read in the background where they are not in memory.</summary>
    public static void Prepare(byte* start, long length) => AdviseInner(start, length, WillNeed);

    /// <summary>
    /// Maps the pages of a file mapping at once, where the system can (Linux from 5.14 on): sooner than when each is mapped as it is
    /// first read, and prefetches, which do not wait for an unmapped page, reach them.
    /// </summary>
    public static void Map(byte* start, long length)
    {
        if (s_linux)
        {
            AdviseInner(start, length, PopulateRead);
        }
    }

    // The pages that lie wholly in the range: what shares a page with it belongs to somebody else.
    private static void AdviseInner(byte* start, long length, int advice)
    {
        if (!CanReserve)
        {
            return;
        }

        nint page = Environment.SystemPageSize;
        nint first = ((nint)start + page - 1) / page * page;
        nint last = ((nint)start + (nint)length) / page * page;
        if (last > first)
        {
            _ = Advise(first, (nuint)(last - first), advice);
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);
}
