using System.Text.Json;
using Sway.IO;

namespace Sway.Tensors;

/// <summary>Several safetensors files that an index (<c>*.safetensors.index.json</c>) joins to one set of tensors.</summary>
public sealed class ShardedSafetensorsFile : TensorFile
{
    private readonly List<SafetensorsFile> _shards;
    private readonly Dictionary<TensorInfo, SafetensorsFile> _owners = new(ReferenceEqualityComparer.Instance);

    private ShardedSafetensorsFile(string path, List<SafetensorsFile> shards)
    {
        Path = path;
        _shards = shards;
        foreach (SafetensorsFile shard in shards)
        {
            foreach (TensorInfo tensor in shard.Tensors)
            {
                _owners.Add(tensor, shard);
            }
        }

        Tensors = [.. shards.SelectMany(shard => shard.Tensors)];
        FileLength = shards.Sum(shard => shard.FileLength);
    }

    /// <inheritdoc/>
    public override string Path { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<TensorInfo> Tensors { get; }

    /// <inheritdoc/>
    public override long FileLength { get; }

    /// <summary>The files, in the order of their names.</summary>
    public IReadOnlyList<SafetensorsFile> Shards => _shards;

    /// <summary>Opens the index and every shard's header.</summary>
    /// <exception cref="AdapterFormatException">A shard is missing or invalid, lies outside the index's folder, or the
    /// index and the shards disagree about which tensor lies where.</exception>
    public static ShardedSafetensorsFile Open(string indexPath)
    {
        Dictionary<string, string> map = ReadIndex(indexPath);
        string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(indexPath))!;
        var shards = new List<SafetensorsFile>();
        try
        {
            foreach (string file in map.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
            {
                string shardPath = System.IO.Path.Combine(folder, file);
                if (!File.Exists(shardPath))
                {
                    throw Bad(indexPath, $"it names {file}, which is not there");
                }

                shards.Add(SafetensorsFile.Open(shardPath));
            }

            var seen = new HashSet<string>(StringComparer.Ordinal);
            foreach (SafetensorsFile shard in shards)
            {
                string file = System.IO.Path.GetFileName(shard.Path);
                foreach (TensorInfo tensor in shard.Tensors)
                {
                    if (!seen.Add(tensor.Name))
                    {
                        throw Bad(indexPath, $"tensor {tensor.Name} lies in two files", tensor.Name);
                    }

                    if (!map.TryGetValue(tensor.Name, out string? named) || named != file)
                    {
                        throw Bad(indexPath, $"it does not say that tensor {tensor.Name} lies in {file}", tensor.Name);
                    }
                }
            }

            if (map.Keys.FirstOrDefault(name => !seen.Contains(name)) is { } missing)
            {
                throw Bad(indexPath, $"tensor {missing} is not in {map[missing]}", missing);
            }

            return new ShardedSafetensorsFile(indexPath, shards);
        }
        catch
        {
            shards.ForEach(shard => shard.Dispose());
            throw;
        }
    }

    /// <inheritdoc/>
    public override TensorExpression Get(TensorInfo tensor) => _owners[tensor].Get(tensor);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _shards.ForEach(shard => shard.Dispose());
        }

        base.Dispose(disposing);
    }

    private static Dictionary<string, string> ReadIndex(string path)
    {
        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            foreach (JsonProperty entry in JsonFile.Read(path, SafetensorsHeader.MaximumLength).GetProperty("weight_map").EnumerateObject())
            {
                string file = entry.Value.GetString() ?? throw Bad(path, $"the entry of {entry.Name} is null", entry.Name);
                if (file.Length == 0 || file is "." or ".." || file.AsSpan().IndexOfAny("/\\:\0") >= 0)
                {
                    throw Bad(path, $"the file name {file} of tensor {entry.Name} is not a plain name", entry.Name);
                }

                if (!map.TryAdd(entry.Name, file))
                {
                    throw Bad(path, $"tensor {entry.Name} is listed twice", entry.Name);
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw Bad(path, $"it has no readable weight_map ({e.Message})", inner: e);
        }

        return map;
    }

    private static AdapterFormatException Bad(string path, string what, string? tensor = null, Exception? inner = null) =>
        new($"{path} is not a valid safetensors index: {what}.", inner)
        {
            Path = path,
            Tensors = tensor is null ? [] : [tensor],
        };
}
