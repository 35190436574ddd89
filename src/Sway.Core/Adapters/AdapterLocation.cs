using Sway.Tensors;

namespace Sway.Adapters;

/// <summary>The files of one adapter: found by name and decided by what they hold, never by <c>peft_type</c>.</summary>
/// <param name="Folder">The folder.</param>
/// <param name="Format">The format.</param>
/// <param name="WeightsPath">The file of the tensors (or its index).</param>
internal sealed record AdapterLocation(string Folder, AdapterFormat Format, string WeightsPath)
{
    public const string ConfigName = "adapter_config.json";

    private static readonly string[] s_peftNames =
    [
        "adapter_model.safetensors", "adapter_model.safetensors.index.json", "adapter_model.bin",
    ];

    private static readonly string[] s_mlxNames = ["adapters.safetensors", "adapters.npz"];

    /// <summary>Finds the adapter at a path: a folder, a weights file, or a folder of named adapters with a choice.</summary>
    /// <exception cref="ConversionRefusedException">There is none, or there are several.</exception>
    public static AdapterLocation Find(string path, string? adapterName)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (File.Exists(full))
        {
            string name = Path.GetFileName(full);
            string parent = Path.GetDirectoryName(full)!;
            if (name == ConfigName)
            {
                return Find(parent, adapterName);
            }

            return s_peftNames.Contains(name, StringComparer.Ordinal) ? new AdapterLocation(parent, AdapterFormat.Peft, full)
                : name.EndsWith("adapters.safetensors", StringComparison.Ordinal) || name.EndsWith(".npz", StringComparison.Ordinal)
                    ? new AdapterLocation(parent, AdapterFormat.Mlx, full)
                : ByKeys(parent, full);
        }

        if (!Directory.Exists(full))
        {
            throw new AdapterFormatException($"{path} does not exist.") { Path = full };
        }

        // PEFT saves further adapters of a model into sub-folders of the first one's folder.
        if (adapterName is not null && Named(full, adapterName) is [var named])
        {
            return Find(named, null);
        }

        string[] peft = Existing(full, s_peftNames);
        string[] mlx = Existing(full, s_mlxNames);
        if (peft.Length > 0 && mlx.Length > 0)
        {
            throw Refuse(full, RefusalCategory.AmbiguousFormat, $"The folder holds both {Path.GetFileName(peft[0])} and {Path.GetFileName(mlx[0])}.", "Name the file that is meant.");
        }

        if (peft.Length > 0)
        {
            return new AdapterLocation(full, AdapterFormat.Peft, peft[0]);
        }

        if (mlx.Length > 0)
        {
            return new AdapterLocation(full, AdapterFormat.Mlx, mlx[0]);
        }

        return FromSubfolders(full);
    }

    /// <summary>True when the folder is called so, alone or with folders above it.</summary>
    public bool IsNamed(string adapterName)
    {
        string path = Folder.Replace('\\', '/');
        string name = adapterName.Replace('\\', '/');
        return path == name || path.EndsWith("/" + name, StringComparison.Ordinal);
    }

    private static string[] Named(string folder, string adapterName) =>
        [.. Candidates(folder, depth: 3).Where(c => Path.GetFileName(c) == adapterName || Path.GetRelativePath(folder, c).Replace('\\', '/') == adapterName)];

    private static AdapterLocation FromSubfolders(string folder)
    {
        string[] candidates = Candidates(folder, depth: 3);
        if (candidates.Length > 0)
        {
            string list = string.Join(", ", candidates.Select(c => Path.GetRelativePath(folder, c).Replace('\\', '/')));
            throw Refuse(
                folder, RefusalCategory.AmbiguousAdapterName, $"The folder itself is no adapter; it holds {list}.", "Name one of these folders, or choose it with -AdapterName (--adapter-name).");
        }

        string[] checkpoints = [.. Directory.GetFiles(folder, "*_adapters.safetensors").Order(StringComparer.Ordinal)];
        if (checkpoints.Length > 0)
        {
            throw Refuse(folder, RefusalCategory.MissingWeights, $"The folder has no adapters.safetensors, only checkpoints such as {Path.GetFileName(checkpoints[^1])}.", "Name the checkpoint file.");
        }

        throw File.Exists(Path.Combine(folder, ConfigName))
            ? Refuse(folder, RefusalCategory.MissingWeights, "The folder has an adapter_config.json but no adapter_model.safetensors, adapter_model.bin or adapters.safetensors.", "Download the missing file.")
            : Refuse(folder, RefusalCategory.MissingConfig, "The folder is no adapter: it has neither adapter_config.json nor adapter weights.", "Name an adapter's folder.");
    }

    private static AdapterLocation ByKeys(string folder, string file)
    {
        using SafetensorsFile tensors = SafetensorsFile.Open(file);
        bool peft = tensors.Tensors.Any(t => t.Name.Contains("lora_A", StringComparison.Ordinal) || t.Name.Contains("lora_embedding_", StringComparison.Ordinal));
        bool mlx = tensors.Tensors.Any(t => t.Name.EndsWith(".lora_a", StringComparison.Ordinal));
        return peft == mlx
            ? throw Refuse(file, RefusalCategory.AmbiguousFormat, "The tensors' names are those of no adapter format.", "Name a folder or file that holds an adapter.")
            : new AdapterLocation(folder, peft ? AdapterFormat.Peft : AdapterFormat.Mlx, file);
    }

    private static string[] Candidates(string folder, int depth)
    {
        if (depth == 0)
        {
            return [];
        }

        var found = new List<string>();
        foreach (string child in Directory.GetDirectories(folder).Order(StringComparer.Ordinal))
        {
            if (Existing(child, [.. s_peftNames, .. s_mlxNames]).Length > 0)
            {
                found.Add(child);
            }
            else
            {
                found.AddRange(Candidates(child, depth - 1));
            }
        }

        return [.. found];
    }

    private static string[] Existing(string folder, string[] names)
    {
        var found = new List<string>();
        foreach (string name in names)
        {
            string path = Path.Combine(folder, name);
            if (File.Exists(path))
            {
                found.Add(path);
            }
        }

        return [.. found];
    }

    private static ConversionRefusedException Refuse(string path, RefusalCategory category, string reason, string remedy) =>
        new(path, [new Refusal(category, reason) { Remedy = remedy }]);
}
