using System.Security.Cryptography;
using System.Text;
using Sway.IO;

namespace Sway.Caching;

/// <summary>
/// The cache's folder. Everything in it appears by a rename from <c>tmp</c>, whole or not at all, so that processes that work at once, or
/// end in the middle, leave nothing half-made behind.
/// </summary>
/// <remarks>
/// <c>conversions/KEY/</c> a converted adapter and its manifest; <c>scores/CONTEXT/</c> records of scores of one model, adapter and engine;
/// <c>digests/</c> remembered digests; <c>locks/</c> one file for each first byte of a key.
/// </remarks>
public sealed class CacheStore
{
    private static readonly TimeSpan s_leftoverAge = TimeSpan.FromHours(1);

    /// <summary>Names a cache; nothing is made before something is stored.</summary>
    public CacheStore(CacheSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        Settings = settings;
        Digests = new FileDigests(this);
    }

    /// <summary>Where it lies and how large it may grow.</summary>
    public CacheSettings Settings { get; }

    /// <summary>The folder.</summary>
    public string Root => Settings.Directory;

    /// <summary>Digests of files, remembered here.</summary>
    internal FileDigests Digests { get; }

    internal string Conversions => Path.Combine(Root, "conversions");

    internal string Scores => Path.Combine(Root, "scores");

    internal string DigestFolder => Path.Combine(Root, "digests");

    private string Temporary => Path.Combine(Root, "tmp");

    /// <summary>The user's cache, by the environment.</summary>
    /// <exception cref="CacheException">An environment variable is wrong.</exception>
    public static CacheStore Open() => new(CacheSettings.FromEnvironment());

    /// <summary>Where the digest of a file is remembered.</summary>
    internal string DigestPath(string file) =>
        Path.Combine(DigestFolder, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(file)), 0, 20));

    /// <summary>Writes a record by a rename. It is not flushed to the disk: after a loss of power a torn one is seen to be damaged.</summary>
    internal void WriteRecord(string path, ReadOnlySpan<byte> payload)
    {
        MakeFolder(Temporary);
        MakeFolder(Path.GetDirectoryName(path)!);
        string temporary = Path.Combine(Temporary, $"record-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12))}");
        try
        {
            File.WriteAllBytes(temporary, SealedRecord.Seal(payload));
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>As <see cref="WriteRecord"/>; false where the cache cannot be written, which costs time and no result.</summary>
    internal bool TryWriteRecord(string path, ReadOnlySpan<byte> payload)
    {
        try
        {
            WriteRecord(path, payload);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>A new folder in <c>tmp</c> for an entry of this key. The caller holds the key's lock.</summary>
    internal string Stage(string key)
    {
        MakeFolder(Temporary);
        string folder = Path.Combine(Temporary, $"{key}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}");
        MakeFolder(folder);
        return folder;
    }

    /// <summary>Whether something is left, or being made, for keys that share this one's lock.</summary>
    internal bool HasStages(string key) => Directory.Exists(Temporary) && Directory.EnumerateDirectories(Temporary, key[..2] + "*").Any();

    /// <summary>Removes what ended processes left for keys that share this one's lock. The caller holds it.</summary>
    internal void SweepStages(string key)
    {
        if (Directory.Exists(Temporary))
        {
            foreach (string left in Directory.EnumerateDirectories(Temporary, key[..2] + "*"))
            {
                Directory.Delete(left, recursive: true);
            }
        }
    }

    /// <summary>Removes records that ended processes left half-written, and entries that they left half-deleted.</summary>
    internal void SweepRecords()
    {
        if (!Directory.Exists(Temporary))
        {
            return;
        }

        foreach (string left in Directory.EnumerateFiles(Temporary, "record-*").Where(file => IsOlder(file, s_leftoverAge)))
        {
            File.Delete(left);
        }

        foreach (string left in Directory.EnumerateDirectories(Temporary, "gone-*"))
        {
            Discard(left);
        }
    }

    /// <summary>Takes an entry out of the cache in one step, then deletes it.</summary>
    internal void Remove(string folder)
    {
        MakeFolder(Temporary);
        string away = Path.Combine(Temporary, $"gone-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12))}");
        try
        {
            Directory.Move(folder, away);
        }
        catch (DirectoryNotFoundException)
        {
            // Another process was first.
            return;
        }

        Discard(away);
    }

    /// <summary>Waits for the lock of a key; it is released when disposed, and by the system when the process ends.</summary>
    internal IDisposable Lock(string key, CancellationToken cancellationToken)
    {
        string folder = Path.Combine(Root, "locks");
        MakeFolder(folder);
        string path = Path.Combine(folder, key[..2]);
        for (int wait = 5; ; wait = Math.Min(wait * 2, 100))
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            }
            catch (IOException) when (File.Exists(path))
            {
                if (cancellationToken.WaitHandle.WaitOne(wait))
                {
                    throw new OperationCanceledException(cancellationToken);
                }
            }
        }
    }

    /// <summary>Remembers that an entry was used now. Once a minute is enough for eviction.</summary>
    internal static void Touch(string path)
    {
        try
        {
            if (File.Exists(path) && IsOlder(path, TimeSpan.FromMinutes(1)))
            {
                File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // An entry that cannot be touched is evicted sooner; nothing else follows.
        }
    }

    /// <summary>Makes a folder that only its owner can read: scores and adapters may be private.</summary>
    internal static void MakeFolder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    /// <summary>Makes the names of an entry durable.</summary>
    internal static void Flush(string folder) => DiskSync.FlushDirectory(folder);

    // What cannot be deleted now (a program on Windows may hold it) is out of the cache already and goes with the next sweep.
    private static void Discard(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    private static bool IsOlder(string path, TimeSpan age) => DateTime.UtcNow - File.GetLastWriteTimeUtc(path) > age;
}
