using System.Globalization;

namespace Sway.Caching;

/// <summary>Where the cache lies, how large it may grow, and how long an entry is safe from eviction.</summary>
public sealed record CacheSettings
{
    /// <summary>The environment variable that names the cache's folder.</summary>
    public const string DirectoryVariable = "SWAY_CACHE_DIR";

    /// <summary>The environment variable with the largest size, for example <c>20GB</c> or <c>500MB</c>.</summary>
    public const string SizeVariable = "SWAY_CACHE_SIZE";

    private const long DefaultSize = 10_000_000_000;

    /// <summary>The folder; it is made when something is stored.</summary>
    public required string Directory { get; init; }

    /// <summary>Entries used least recently are evicted when the whole is larger, in bytes.</summary>
    public long MaximumBytes { get; init; } = DefaultSize;

    /// <summary>What was used within this time is never evicted: another program may be reading it.</summary>
    public TimeSpan MinimumAge { get; init; } = TimeSpan.FromHours(1);

    /// <summary>The user's cache: <c>SWAY_CACHE_DIR</c>, else <c>XDG_CACHE_HOME/sway</c>, else the platform's cache folder.</summary>
    /// <exception cref="CacheException"><c>SWAY_CACHE_SIZE</c> is not a size.</exception>
    public static CacheSettings FromEnvironment() => new()
    {
        Directory = FindDirectory(),
        MaximumBytes = Environment.GetEnvironmentVariable(SizeVariable) is { Length: > 0 } text ? ParseSize(text) : DefaultSize,
    };

    /// <summary>A size with a decimal unit (kB, MB, GB, TB), or plain bytes.</summary>
    /// <exception cref="CacheException">The text is not a size.</exception>
    public static long ParseSize(string text, string variable = SizeVariable)
    {
        ArgumentNullException.ThrowIfNull(text);
        string number = text.Trim();
        double factor = 1;
        foreach ((string unit, double size) in (ReadOnlySpan<(string, double)>)[("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("B", 1)])
        {
            if (number.EndsWith(unit, StringComparison.OrdinalIgnoreCase))
            {
                number = number[..^unit.Length].TrimEnd();
                factor = size;
                break;
            }
        }

        return double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) && value * factor < long.MaxValue
            ? (long)(value * factor)
            : throw new CacheException($"{variable} is \"{text}\", which is not a size.") { Remedy = "Give a number with a unit, for example 20GB." };
    }

    private static string FindDirectory()
    {
        if (Environment.GetEnvironmentVariable(DirectoryVariable) is { Length: > 0 } named)
        {
            return Path.GetFullPath(named);
        }

        if (Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } xdg && Path.IsPathFullyQualified(xdg))
        {
            return Path.Combine(xdg, "sway");
        }

        string user = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return OperatingSystem.IsWindows() ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "sway", "cache")
            : OperatingSystem.IsMacOS() ? Path.Combine(user, "Library", "Caches", "sway")
            : Path.Combine(user, ".cache", "sway");
    }
}
