using System.Buffers.Binary;

namespace Sway.Unit.Support;

/// <summary>What the system says is in memory, on Linux.</summary>
internal static unsafe class Resident
{
    private const string PageMap = "/proc/self/pagemap";
    private const int EntryBytes = 8;
    private const ulong Present = 1UL << 63;

    /// <summary>Whether the system tells.</summary>
    public static bool IsKnown => File.Exists(PageMap);

    /// <summary>Skips the test where the system does not tell.</summary>
    public static void SkipUnlessKnown() => Assert.SkipUnless(IsKnown, $"What is resident is read from {PageMap}.");

    /// <summary>
    /// Resident bytes of a range of addresses, in whole pages. Of these addresses alone: what the system counts for a mapping may hold
    /// the memory of another test that happens to lie beside it.
    /// </summary>
    public static long Bytes(void* start, long length)
    {
        long page = Environment.SystemPageSize;
        long first = (long)start / page, last = ((long)start + length - 1) / page;
        byte[] entries = new byte[(last - first + 1) * EntryBytes];
        using var file = new FileStream(PageMap, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        file.Position = first * EntryBytes;
        file.ReadExactly(entries);
        long pages = 0;
        for (int i = 0; i < entries.Length; i += EntryBytes)
        {
            pages += (BinaryPrimitives.ReadUInt64LittleEndian(entries.AsSpan(i)) & Present) != 0 ? 1 : 0;
        }

        return pages * page;
    }
}
