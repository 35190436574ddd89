namespace Sway.Caching;

/// <summary>Lists, verifies, clears and limits the cache.</summary>
public sealed class CacheManager(CacheStore store)
{
    private const string EvictionStamp = "evicted";

    /// <summary>Every entry, least recently used first.</summary>
    public IReadOnlyList<SwayCacheEntry> List() =>
        [.. Conversions().Concat(Scores()).OrderBy(entry => entry.LastUsed).ThenBy(entry => entry.Key, StringComparer.Ordinal)];

    /// <summary>Reads every byte of an entry and compares it with what was written.</summary>
    public SwayCacheEntry Verify(SwayCacheEntry entry, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(entry);
        string? problem = entry.Kind == CacheEntryKind.Conversion ? ConversionProblem(entry.FullName, cancellationToken) : ScoreProblem(entry.FullName, cancellationToken);
        return entry with { State = problem is null ? CacheEntryState.Ok : CacheEntryState.Damaged, Problem = problem };
    }

    /// <summary>Removes an entry in one step.</summary>
    public void Remove(SwayCacheEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        store.Remove(entry.FullName);
    }

    /// <summary>Removes what helps no entry: remembered digests, and what ended processes left.</summary>
    public void RemoveRest()
    {
        if (Directory.Exists(store.DigestFolder))
        {
            store.Remove(store.DigestFolder);
        }

        store.SweepRecords();
        for (int i = 0; i < 256; i++)
        {
            string key = i.ToString("x2", System.Globalization.CultureInfo.InvariantCulture);
            if (store.HasStages(key))
            {
                using (store.Lock(key, CancellationToken.None))
                {
                    store.SweepStages(key);
                }
            }
        }
    }

    /// <summary>Evicts entries that were used least recently until the cache is below its limit; looks at most once an hour.</summary>
    public void Limit()
    {
        string stamp = Path.Combine(store.Root, EvictionStamp);
        if (!Directory.Exists(store.Root) || (File.Exists(stamp) && DateTime.UtcNow - File.GetLastWriteTimeUtc(stamp) < TimeSpan.FromHours(1)))
        {
            return;
        }

        store.TryWriteRecord(stamp, []);
        store.SweepRecords();
        Evict();
    }

    /// <summary>Evicts now. Entries younger than the minimum age stay, whatever the size.</summary>
    /// <returns>The entries that went.</returns>
    public IReadOnlyList<SwayCacheEntry> Evict()
    {
        IReadOnlyList<SwayCacheEntry> entries = List();
        long size = entries.Sum(entry => entry.SizeBytes);
        var gone = new List<SwayCacheEntry>();
        foreach (SwayCacheEntry entry in entries)
        {
            if (size <= store.Settings.MaximumBytes || DateTime.UtcNow - entry.LastUsed < store.Settings.MinimumAge)
            {
                break;
            }

            Remove(entry);
            size -= entry.SizeBytes;
            gone.Add(entry);
        }

        return gone;
    }

    private static IEnumerable<string> Folders(string parent) => Directory.Exists(parent) ? Directory.EnumerateDirectories(parent) : [];

    private static SwayCacheEntry? Describe(CacheEntryKind kind, string folder, string marker, string origin)
    {
        try
        {
            long size = 0;
            int count = 0;
            foreach (FileInfo file in new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories))
            {
                size += file.Length;
                count++;
            }

            if (count == 0 && kind == CacheEntryKind.Scores)
            {
                // Its first record is just being written, or never was: it holds nothing.
                return null;
            }

            string stamp = Path.Combine(folder, marker);
            return new SwayCacheEntry
            {
                Kind = kind,
                Key = Path.GetFileName(folder),
                FullName = folder,
                Origin = origin,
                SizeBytes = size,
                FileCount = count - 1,
                LastUsed = File.Exists(stamp) ? File.GetLastWriteTimeUtc(stamp) : Directory.GetLastWriteTimeUtc(folder),
            };
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            // Removed while it was looked at.
            return null;
        }
    }

    private IEnumerable<SwayCacheEntry> Conversions()
    {
        foreach (string folder in Folders(store.Conversions))
        {
            string origin = ConversionManifest.Read(folder)?.Result.Source ?? "unknown";
            if (Describe(CacheEntryKind.Conversion, folder, ConversionManifest.FileName, origin) is { } entry)
            {
                yield return entry;
            }
        }
    }

    private IEnumerable<SwayCacheEntry> Scores()
    {
        foreach (string folder in Folders(store.Scores))
        {
            string origin = ScoreOrigin.Read(folder)?.ToString() ?? "unknown";
            if (Describe(CacheEntryKind.Scores, folder, ScoreOrigin.FileName, origin) is { } entry)
            {
                yield return entry;
            }
        }
    }

    private static string? ConversionProblem(string folder, CancellationToken cancellationToken) => ConversionManifest.Read(folder) is { } manifest
        // Without remembered digests: verifying means reading.
        ? manifest.Problem(folder, null, cancellationToken)
        : "the manifest is damaged";

    private static string? ScoreProblem(string folder, CancellationToken cancellationToken)
    {
        if (ScoreOrigin.Read(folder) is null)
        {
            return "the record of its origin is damaged";
        }

        foreach (string path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (SealedRecord.Read(path) is null)
            {
                return $"{Path.GetRelativePath(folder, path)} is damaged";
            }
        }

        return null;
    }
}
