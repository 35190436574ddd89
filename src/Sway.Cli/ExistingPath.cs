namespace Sway.Cli;

/// <summary>Paths as they come from the command line.</summary>
internal static class ExistingPath
{
    /// <summary>The absolute path.</summary>
    /// <exception cref="FileNotFoundException">Nothing lies there.</exception>
    internal static string Of(string path)
    {
        string full = Path.GetFullPath(path);
        return Path.Exists(full) ? full : throw new FileNotFoundException($"{path} does not exist.", path);
    }
}
