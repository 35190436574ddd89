namespace Sway.Adapters.Mlx;

/// <summary>Finds the files of an mlx-lm adapter.</summary>
/// <param name="Folder">The adapter's folder, absolute.</param>
/// <param name="Tensors">The file that holds the tensors.</param>
/// <param name="Configuration">The configuration file, or null when there is none.</param>
public sealed record MlxAdapterFiles(string Folder, string Tensors, string? Configuration)
{
    /// <summary>The name under which mlx-lm loads tensors.</summary>
    public const string TensorFileName = "adapters.safetensors";

    /// <summary>The name of mlx-lm's tensor file before March 2024.</summary>
    public const string OldTensorFileName = "adapters.npz";

    /// <summary>The name of the configuration, the same as PEFT's.</summary>
    public const string ConfigurationFileName = "adapter_config.json";

    private const string CheckpointPattern = "*_adapters.safetensors";

    /// <summary>True when file names alone say that a folder (or a file) holds an mlx-lm adapter. Nothing is opened.</summary>
    public static bool Looks(string path)
    {
        if (File.Exists(path))
        {
            string name = Path.GetFileName(path);
            return name is TensorFileName or OldTensorFileName || name.EndsWith("_adapters.safetensors", StringComparison.Ordinal);
        }

        return Directory.Exists(path)
            && (File.Exists(Path.Combine(path, TensorFileName))
                || File.Exists(Path.Combine(path, OldTensorFileName))
                || Directory.EnumerateFiles(path, CheckpointPattern).Any());
    }

    /// <summary>Finds the files of a folder, or of a tensor file (such as a training checkpoint) in it.</summary>
    /// <exception cref="ConversionRefusedException">There is no tensor file, or only training checkpoints.</exception>
    public static MlxAdapterFiles Find(string path)
    {
        string full = Path.GetFullPath(path);
        if (File.Exists(full) && Path.GetFileName(full) != ConfigurationFileName)
        {
            return new MlxAdapterFiles(Path.GetDirectoryName(full)!, full, FindConfiguration(Path.GetDirectoryName(full)!));
        }

        string folder = File.Exists(full) ? Path.GetDirectoryName(full)! : Path.TrimEndingDirectorySeparator(full);
        foreach (string name in (ReadOnlySpan<string>)[TensorFileName, OldTensorFileName])
        {
            string tensors = Path.Combine(folder, name);
            if (File.Exists(tensors))
            {
                return new MlxAdapterFiles(folder, tensors, FindConfiguration(folder));
            }
        }

        throw new ConversionRefusedException(folder, [NoTensors(folder)]);
    }

    private static Refusal NoTensors(string folder)
    {
        string[] checkpoints = Directory.Exists(folder) ? Directory.GetFiles(folder, CheckpointPattern) : [];
        Array.Sort(checkpoints, StringComparer.Ordinal);
        if (checkpoints.Length == 0 && Directory.Exists(folder) && Directory.EnumerateFiles(folder, "adapter_model.*").Any())
        {
            return new Refusal(RefusalCategory.AlreadyPeft, "The folder holds a PEFT adapter, not one of mlx-lm.")
            {
                Remedy = "Convert it with ConvertTo-MlxAdapter (sway convert --to mlx).",
            };
        }

        return checkpoints.Length == 0
            ? new Refusal(RefusalCategory.MissingWeights, $"There is no {TensorFileName} and no {OldTensorFileName}.")
            : new Refusal(RefusalCategory.MissingWeights, $"There is no {TensorFileName}, only training checkpoints.")
            {
                Modules = [.. checkpoints.Select(file => Path.GetFileName(file))],
                Remedy = $"Name the checkpoint's file itself, for example {checkpoints[^1]}.",
            };
    }

    private static string? FindConfiguration(string folder)
    {
        string path = Path.Combine(folder, ConfigurationFileName);
        return File.Exists(path) ? path : null;
    }
}
