namespace Sway.Conversion;

/// <summary>Where a converted adapter goes, by one rule for every front end.</summary>
public static class ConversionDestination
{
    /// <summary>Names the output folder.</summary>
    /// <param name="source">The adapter's folder, or a weights file in it; absolute.</param>
    /// <param name="destination">The folder that the user named, absolute; null for a folder beside the source.</param>
    /// <param name="several">True when <paramref name="destination"/> takes several adapters, each in a folder of its name.</param>
    /// <param name="target">The format that is written; its name ends the folder's name beside the source.</param>
    public static string Of(string source, string? destination, bool several, ConversionTarget target)
    {
        string folder = Path.TrimEndingDirectorySeparator(
            File.Exists(source) ? Path.GetDirectoryName(source) ?? source : source);
        string name = Path.GetFileName(folder);
        if (destination is null)
        {
            return folder + (target == ConversionTarget.Mlx ? "-mlx" : "-peft");
        }

        return several ? Path.Combine(destination, name) : destination;
    }
}
