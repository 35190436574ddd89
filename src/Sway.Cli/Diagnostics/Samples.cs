namespace Sway.Cli.Diagnostics;

/// <summary>The samples of the checkout that this command was built from, or that the user stands in.</summary>
/// <param name="Folder">The samples' folder.</param>
internal sealed record Samples(string Folder)
{
    /// <summary>The one adapter that no faithful tool may convert: two of its weights are not finite numbers.</summary>
    internal const string RefusedName = "broken";

    /// <summary>The adapter whose second factor is still zero: it changes nothing at all.</summary>
    internal const string UntrainedName = "untrained";

    /// <summary>Texts that no adapter was trained on.</summary>
    internal IReadOnlyList<string> Texts
    {
        get
        {
            string[] files = Directory.GetFiles(Path.Combine(Folder, "texts"), "*.txt");
            Array.Sort(files, StringComparer.Ordinal);
            return files;
        }
    }

    /// <summary>The adapters in PEFT form.</summary>
    internal IReadOnlyList<string> PeftAdapters => Folders("adapters");

    /// <summary>The adapters that mlx-lm wrote.</summary>
    internal IReadOnlyList<string> MlxAdapters => Folders("mlx-adapters");

    /// <summary>Looks upwards from the current folder, then from the command's own.</summary>
    internal static Samples? Find()
    {
        foreach (string start in new[] { Environment.CurrentDirectory, AppContext.BaseDirectory })
        {
            for (DirectoryInfo? folder = new(start); folder is not null; folder = folder.Parent)
            {
                string candidate = Path.Combine(folder.FullName, "samples");
                if (Directory.Exists(Path.Combine(candidate, "adapters")) && Directory.Exists(Path.Combine(candidate, "base")))
                {
                    return new Samples(candidate);
                }
            }
        }

        return null;
    }

    private string[] Folders(string kind)
    {
        string parent = Path.Combine(Folder, kind);
        string[] folders = Directory.Exists(parent) ? Directory.GetDirectories(parent) : [];
        Array.Sort(folders, StringComparer.Ordinal);
        return folders;
    }
}
