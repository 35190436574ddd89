namespace Sway.Architectures;

/// <summary>Where a base model was found.</summary>
public enum BaseSource
{
    /// <summary>Nowhere.</summary>
    None,

    /// <summary>The user named it.</summary>
    Parameter,

    /// <summary>The adapter's configuration names a folder relative to the adapter.</summary>
    AdapterConfig,

    /// <summary>The Hugging Face cache holds the repository that the adapter names.</summary>
    HuggingFaceCache,
}

/// <summary>
/// Finds the base model of an adapter: what the user named, a folder relative to the adapter, or the local Hugging Face
/// cache. Never the network, and never a UNC path or URL that a file names.
/// </summary>
public static class BaseModelLocator
{
    /// <summary>Finds and opens the base; null when there is none.</summary>
    /// <param name="adapterFolder">The adapter's folder.</param>
    /// <param name="recordedName">The base's name or path as the adapter records it.</param>
    /// <param name="named">The folder that the user named, or null.</param>
    /// <param name="search">False to look at nothing but <paramref name="named"/>.</param>
    /// <param name="source">Where it was found.</param>
    public static BaseModel? Open(string adapterFolder, string? recordedName, string? named, bool search, out BaseSource source)
    {
        if (named is not null)
        {
            source = BaseSource.Parameter;
            return BaseModel.Open(named);
        }

        source = BaseSource.None;
        if (!search || string.IsNullOrWhiteSpace(recordedName) || !IsPlain(recordedName))
        {
            return null;
        }

        if (RelativeFolder(adapterFolder, recordedName) is { } folder)
        {
            source = BaseSource.AdapterConfig;
            return BaseModel.Open(folder);
        }

        if (HuggingFaceSnapshot(recordedName) is { } snapshot)
        {
            source = BaseSource.HuggingFaceCache;
            return BaseModel.Open(snapshot);
        }

        return null;
    }

    /// <summary>The newest complete snapshot of a repository in the local cache, or null.</summary>
    internal static string? HuggingFaceSnapshot(string repository)
    {
        string[] parts = repository.Split('/');
        if (parts.Length > 2 || parts.Any(part => part.Length == 0 || part is "." or ".." || part.Contains("--", StringComparison.Ordinal)))
        {
            return null;
        }

        string folder = Path.Combine(CacheFolder(), "models--" + string.Join("--", parts));
        string reference = Path.Combine(folder, "refs", "main");
        if (File.Exists(reference) && new FileInfo(reference).Length <= 64)
        {
            string commit = File.ReadAllText(reference).Trim();
            string main = Path.Combine(folder, "snapshots", commit);
            if (commit.Length > 0 && commit.All(char.IsAsciiLetterOrDigit) && File.Exists(Path.Combine(main, "config.json")))
            {
                return main;
            }
        }

        string snapshots = Path.Combine(folder, "snapshots");
        return Directory.Exists(snapshots)
            ? Directory.GetDirectories(snapshots)
                .Where(snapshot => File.Exists(Path.Combine(snapshot, "config.json")))
                .OrderByDescending(Directory.GetLastWriteTimeUtc)
                .ThenBy(snapshot => snapshot, StringComparer.Ordinal)
                .FirstOrDefault()
            : null;
    }

    private static string CacheFolder()
    {
        if (Environment.GetEnvironmentVariable("HF_HUB_CACHE") is { Length: > 0 } hub)
        {
            return hub;
        }

        string home = Environment.GetEnvironmentVariable("HF_HOME") is { Length: > 0 } set
            ? set
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "huggingface");
        return Path.Combine(home, "hub");
    }

    private static string? RelativeFolder(string adapterFolder, string name)
    {
        // PEFT resolves a relative path against the working folder of the training run, which is often the adapter's
        // parent; both readings are tried.
        string? parent = Path.GetDirectoryName(adapterFolder);
        foreach (string? start in (string?[])[adapterFolder, parent])
        {
            if (start is null || Path.IsPathRooted(name) && start != adapterFolder)
            {
                continue;
            }

            string folder = Path.GetFullPath(name, start);
            if (File.Exists(Path.Combine(folder, "config.json")))
            {
                return folder;
            }
        }

        return null;
    }

    private static bool IsPlain(string name) =>
        !name.StartsWith(@"\\", StringComparison.Ordinal) && !name.StartsWith("//", StringComparison.Ordinal)
        && !name.Contains("://", StringComparison.Ordinal) && !name.Contains('\0') && name.Length <= 4096
        && name.IndexOfAny(Path.GetInvalidPathChars()) < 0;
}
