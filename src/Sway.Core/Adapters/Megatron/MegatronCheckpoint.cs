using System.Globalization;
using System.Text.Json;
using Sway.IO;

namespace Sway.Adapters.Megatron;

/// <summary>Finds and recognises checkpoint folders that Megatron-Bridge wrote.</summary>
public static class MegatronCheckpoint
{
    private const string Tracker = "latest_checkpointed_iteration.txt";

    /// <summary>True for an iteration's folder (<c>.metadata</c> and shards, whole or damaged), a run's folder that holds
    /// such folders, or a file in one.</summary>
    public static bool IsCheckpoint(string path)
    {
        if (path.EndsWith(".safetensors", StringComparison.Ordinal) || path.EndsWith(".bin", StringComparison.Ordinal)
            || path.EndsWith(".npz", StringComparison.Ordinal))
        {
            return false;
        }

        string folder = FolderOf(path);
        return Directory.Exists(folder) && !File.Exists(Path.Combine(folder, AdapterLocation.ConfigName)) && (IsIteration(folder) || File.Exists(Path.Combine(folder, Tracker)) || Iterations(folder).Any());
    }

    /// <summary>True for a file beside a run's checkpoints that is none itself: its tracker, its training state.</summary>
    public static bool IsRunNote(string path)
    {
        string name = Path.GetFileName(path);
        return name is Tracker or "latest_train_state.pt" or "progress.txt" && File.Exists(path) && Iterations(Path.GetDirectoryName(path)!).Any();
    }

    /// <summary>The folder with the shards: the path itself, or the iteration that the run's tracker names.</summary>
    /// <exception cref="ConversionRefusedException">The path holds several checkpoints and does not say which one counts.</exception>
    internal static string FindIteration(string path)
    {
        string folder = FolderOf(path);
        if (IsIteration(folder))
        {
            return folder;
        }

        string[] iterations = [.. Iterations(folder)];
        string tracker = Path.Combine(folder, Tracker);
        if (File.Exists(tracker))
        {
            string latest = Path.Combine(folder, ReadTracker(tracker));
            return Directory.Exists(latest) ? latest : throw Missing(path, $"{Tracker} names {Path.GetFileName(latest)}, which is missing.");
        }

        return iterations switch
        {
            [var only] => only,
            [] => throw Missing(path, "there is no checkpoint."),
            _ => throw new ConversionRefusedException(path, [new Refusal(
                RefusalCategory.AmbiguousAdapterName, $"it holds {iterations.Length} checkpoints and no {Tracker} that says which one counts.")
            {
                Modules = [.. iterations.Select(iteration => Path.GetFileName(iteration))],
                Remedy = "Name the iteration's folder.",
            }]),
        };
    }

    /// <summary>Refuses a folder whose <c>metadata.json</c> names another format.</summary>
    internal static void CheckFormat(string folder)
    {
        string path = Path.Combine(folder, "metadata.json");
        if (!File.Exists(path))
        {
            return;
        }

        string? backend = null;
        try
        {
            JsonElement root = JsonFile.Read(path, 1 << 16);
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("sharded_backend", out JsonElement value))
            {
                backend = value.ValueKind == JsonValueKind.String ? value.GetString() : value.GetRawText();
            }
        }
        catch (JsonException e)
        {
            throw new AdapterFormatException($"{path} is not JSON.", e) { Path = path };
        }

        if (backend is not (null or "torch_dist"))
        {
            throw new ConversionRefusedException(folder, [new Refusal(
                RefusalCategory.Megatron, $"it is a checkpoint of the format {backend}; Sway reads torch_dist.")
            {
                Remedy = "Save the checkpoint with ckpt_format torch_dist.",
            }]);
        }
    }

    private static string FolderOf(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        return File.Exists(full) ? Path.GetDirectoryName(full)! : full;
    }

    private static bool IsIteration(string folder) =>
        File.Exists(Path.Combine(folder, ".metadata")) || Directory.EnumerateFiles(folder, "*.distcp").Any() || HasBackend(Path.Combine(folder, "metadata.json"));

    private static bool HasBackend(string path) =>
        File.Exists(path) && new FileInfo(path).Length < 1 << 16 && File.ReadAllText(path).Contains("\"sharded_backend\"", StringComparison.Ordinal);

    private static IEnumerable<string> Iterations(string folder) =>
        Directory.Exists(folder) ? Directory.EnumerateDirectories(folder, "iter_*").Where(IsIteration).Order(StringComparer.Ordinal) : [];

    private static string ReadTracker(string path)
    {
        string text = new FileInfo(path).Length < 64 ? File.ReadAllText(path).Trim() : "";
        return text == "release" ? text
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int iteration) ? string.Create(CultureInfo.InvariantCulture, $"iter_{iteration:0000000}")
            : throw new AdapterFormatException($"{path} names no iteration.") { Path = path };
    }

    private static ConversionRefusedException Missing(string path, string reason) => new(path, [new Refusal(RefusalCategory.MissingWeights, reason)]);
}
