namespace Sway.Tensors;

/// <summary>Finds and opens the weight files of a base model's folder.</summary>
public static class BaseWeightFiles
{
    /// <summary>The index of a sharded model, else the single weights file.</summary>
    /// <exception cref="ModelFormatException">The folder holds no safetensors weights, or several without an index.</exception>
    public static string Find(string folder) => TryFind(folder)
        ?? throw new ModelFormatException($"{folder} holds no model.safetensors and no model.safetensors.index.json.")
        {
            Path = folder,
            Remedy = "Name a folder with the base model's safetensors weights.",
        };

    /// <summary>As <see cref="Find"/>, but null when there are none.</summary>
    public static string? TryFind(string folder)
    {
        foreach (string name in (ReadOnlySpan<string>)["model.safetensors.index.json", "model.safetensors", "weights.safetensors"])
        {
            string path = Path.Combine(folder, name);
            if (File.Exists(path))
            {
                return path;
            }
        }

        string[] others = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.safetensors") : [];
        return others is [var single] && !Path.GetFileName(single).StartsWith("ada", StringComparison.Ordinal) ? single : null;
    }

    /// <summary>Opens an index or a single file.</summary>
    public static TensorFile Open(string path) => path.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
        ? ShardedSafetensorsFile.Open(path)
        : SafetensorsFile.Open(path);
}
