using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Sway.Caching;

/// <summary>
/// What the file system says of a file's content without reading it. Two equal identities of one path mean the same bytes: the time of
/// the last change of status, unlike that of the last write, cannot be set back.
/// </summary>
/// <param name="Size">Bytes.</param>
/// <param name="Modified">Time of the last write, in ticks of 100 ns since 1970.</param>
/// <param name="Changed">Time of the last change of status, likewise; the time of creation where the system has no such time.</param>
/// <param name="Device">The device, 0 where unknown.</param>
/// <param name="Node">The file's number on it, 0 where unknown.</param>
internal readonly partial record struct FileIdentity(long Size, long Modified, long Changed, ulong Device, ulong Node)
{
    private static readonly long s_epoch = DateTime.UnixEpoch.Ticks;

    /// <summary>
    /// Whether a later write would surely give another identity: the clock of the file system has moved on since the last change.
    /// Times without a fraction are those of file systems that count in seconds.
    /// </summary>
    public bool IsSettled
    {
        get
        {
            // The time of writing can be set to anything; it counts only where there is no other.
            long last = Node != 0 ? Changed : Math.Max(Changed, Modified);
            long margin = last % TimeSpan.TicksPerSecond == 0 ? 3 * TimeSpan.TicksPerSecond : TimeSpan.TicksPerSecond / 20;
            return DateTime.UtcNow.Ticks - s_epoch - last > margin;
        }
    }

    /// <summary>Asks the file system; links are followed.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public static unsafe FileIdentity Of(string path)
    {
        byte* buffer = stackalloc byte[512];
        if (OperatingSystem.IsLinux() && StatX(-100, path, 0, 0x7ff, buffer) == 0)
        {
            return new FileIdentity(
                Read(buffer, 40), Time(buffer, 112), Time(buffer, 96), (ulong)Read(buffer, 136), (ulong)Read(buffer, 32));
        }

        if (OperatingSystem.IsMacOS() && RuntimeInformation.ProcessArchitecture == Architecture.Arm64 && Stat(path, buffer) == 0)
        {
            return new FileIdentity(
                Read(buffer, 96), Time(buffer, 48), Time(buffer, 64), (ulong)Read(buffer, 0) & uint.MaxValue, (ulong)Read(buffer, 8));
        }

        var file = new FileInfo(path);
        return file.Exists
            ? new FileIdentity(file.Length, file.LastWriteTimeUtc.Ticks - s_epoch, file.CreationTimeUtc.Ticks - s_epoch, 0, 0)
            : throw new FileNotFoundException($"{path} does not exist.", path);
    }

    private static unsafe long Read(byte* buffer, int offset) => BinaryPrimitives.ReadInt64LittleEndian(new ReadOnlySpan<byte>(buffer + offset, 8));

    // Seconds and nanoseconds, both systems alike.
    private static unsafe long Time(byte* buffer, int offset) =>
        (Read(buffer, offset) * TimeSpan.TicksPerSecond) + ((Read(buffer, offset + 8) & uint.MaxValue) / 100);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatX(int folder, string path, int flags, uint mask, byte* buffer);

    [LibraryImport("libc", EntryPoint = "stat", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Stat(string path, byte* buffer);
}
