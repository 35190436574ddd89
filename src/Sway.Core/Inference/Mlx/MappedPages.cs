using System.Runtime.InteropServices;

namespace Sway.Inference.Mlx;

/// <summary>Gives back the memory of mapped pages that were copied; they are read again from the file when they are needed.</summary>
internal static unsafe partial class MappedPages
{
    private const int DontNeed = 4;

    /// <summary>Releases the whole pages within a range of a read-only file mapping. Only memory is at stake, so failures do not matter.</summary>
    public static void Release(byte* start, long length)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        nint page = Environment.SystemPageSize;
        nint first = ((nint)start + page - 1) / page * page;
        nint last = ((nint)start + (nint)length) / page * page;
        if (last > first)
        {
            _ = Advise(first, (nuint)(last - first), DontNeed);
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);
}
