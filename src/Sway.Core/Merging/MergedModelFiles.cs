using System.Text.Json;
using System.Text.Json.Nodes;
using Sway.Conversion;
using Sway.IO;
using Sway.Tensors;

namespace Sway.Merging;

/// <summary>Writes a merged model's folder: the base's shards with new content, its index, and its other files.</summary>
internal static class MergedModelFiles
{
    private static readonly string[] s_weightEndings = [".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".npz", ".onnx"];

    private static readonly JsonSerializerOptions s_indented = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Writes everything below a folder.</summary>
    /// <returns>The bytes of the tensor files.</returns>
    public static long Write(
        string folder, string baseFolder, TensorFile weights, MergedModel merged, bool dequantized, FiniteGuard finite,
        IProgress<ByteProgress>? progress, CancellationToken cancellationToken)
    {
        long written = 0;
        var map = new SortedDictionary<string, string>(StringComparer.Ordinal);
        long total = 0;
        IEnumerable<TensorFile> shards = weights is ShardedSafetensorsFile sharded ? sharded.Shards : [weights];
        foreach (TensorFile shard in shards)
        {
            string name = Path.GetFileName(shard.Path);
            PlannedTensor[] tensors = [.. shard.Tensors.SelectMany(merged.Replace)];
            Dictionary<string, string>? metadata = shard.Metadata.Count > 0 ? shard.Metadata.ToDictionary(StringComparer.Ordinal) : null;
            written += SafetensorsWriter.Write(Path.Combine(folder, name), tensors, metadata, progress, InspectChanged, cancellationToken);
            foreach (PlannedTensor tensor in tensors)
            {
                map[tensor.Name] = name;
                total += tensor.Value.ByteLength;
            }
        }

        if (weights is ShardedSafetensorsFile)
        {
            WriteIndex(Path.Combine(folder, Path.GetFileName(weights.Path)), map, total);
        }

        CopyOthers(folder, baseFolder, dequantized);
        return written;

        // What the base holds elsewhere (masks, for instance) is its own affair.
        void InspectChanged(PlannedTensor tensor, ReadOnlySpan<byte> tile)
        {
            if (merged.Changes(tensor.Name))
            {
                finite.Inspect(tensor, tile);
            }
        }
    }

    private static void WriteIndex(string path, SortedDictionary<string, string> map, long total)
    {
        var entries = new JsonObject();
        foreach ((string name, string file) in map)
        {
            entries[name] = file;
        }

        var index = new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = total }, ["weight_map"] = entries };
        AtomicFile.WriteNew(path, Utf8(index));
    }

    /// <summary>Configuration, tokenizer, templates and licence go along; weights of other formats would be stale.</summary>
    private static void CopyOthers(string folder, string baseFolder, bool dequantized)
    {
        foreach (string file in Directory.GetFiles(baseFolder).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(file);
            if (name.StartsWith('.') || s_weightEndings.Any(ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase)))
            {
                continue;
            }

            string target = Path.Combine(folder, name);
            if (name == "config.json" && dequantized)
            {
                JsonObject config = JsonFile.ToNode(JsonFile.Read(file))!.AsObject();
                config.Remove("quantization");
                config.Remove("quantization_config");
                AtomicFile.WriteNew(target, Utf8(config));
            }
            else
            {
                File.Copy(file, target);
            }
        }
    }

    private static byte[] Utf8(JsonObject json) => JsonSerializer.SerializeToUtf8Bytes(json, s_indented);
}
