using System.Text;
using System.Text.Json;
using Sway.Adapters;
using Sway.Tensors;

namespace Sway.Caching;

/// <summary>The files that decide a result: their digests go into the key, their identities tell later whether one has changed.</summary>
/// <param name="digests">Gives digests; null for keys that hold in this process only, of identities instead.</param>
internal sealed class CacheInputs(FileDigests? digests)
{
    private readonly List<(string Path, FileIdentity Identity)> _files = [];

    /// <summary>The files of a base model as they are now, without their digests.</summary>
    public static CacheInputs Of(string modelFolder)
    {
        var inputs = new CacheInputs(null);
        foreach (string path in (IEnumerable<string>)[Path.Combine(modelFolder, "config.json"), .. WeightFiles(modelFolder)])
        {
            string full = Path.GetFullPath(path);
            inputs._files.Add((full, FileIdentity.Of(full)));
        }

        return inputs;
    }

    /// <summary>Adds a file's content to the key.</summary>
    public void File(KeyParts key, string label, string path, CancellationToken cancellationToken)
    {
        string full = Path.GetFullPath(path);
        FileIdentity identity;
        if (digests is null)
        {
            identity = FileIdentity.Of(full);
            key.Add(label, identity.ToString());
        }
        else
        {
            key.Add(label, digests.Of(full, out identity, cancellationToken));
        }

        _files.Add((full, identity));
    }

    /// <summary>Adds everything of an adapter that its reader looks at.</summary>
    public void Adapter(KeyParts key, LoraAdapter adapter, CancellationToken cancellationToken)
    {
        key.Add("adapter format", adapter.Format.ToString());
        key.Add("adapter config", adapter.Config.ValueKind == JsonValueKind.Undefined ? null : CanonicalJson.Of(adapter.Config));

        // What the reader made of the files: an adapter may have been opened with an alpha, or another name, than the files hold.
        foreach (LoraModule module in adapter.Modules)
        {
            key.Add("module", module.Path).Add("scaling", module.Scaling).Add("rank", module.Rank);
            key.Add("kind", $"{module.Kind} {module.Naming} {module.Packing} {module.ParameterName} {module.AlsoChangesTiedHead}");
            key.Add("tensors", string.Join('\n', module.SourceTensors));
        }

        foreach (AdapterExtra extra in adapter.Extras)
        {
            key.Add("extra", $"{extra.Kind} {extra.Path} {extra.Name}");
        }

        foreach (TensorFile file in adapter.Files)
        {
            TensorFile(key, file, cancellationToken);
        }
    }

    /// <summary>Adds the base model that a conversion looks at: its configuration by content, its weights by identity, because few
    /// conversions read any of them and then only some rows.</summary>
    public void BaseOfConversion(KeyParts key, string folder)
    {
        File(key, "base config", Path.Combine(folder, "config.json"), CancellationToken.None);
        foreach (string path in WeightFiles(folder))
        {
            FileIdentity identity = FileIdentity.Of(path);
            key.Add("base weights", $"{Path.GetFileName(path)} {identity}");
            _files.Add((path, identity));
        }
    }

    /// <summary>Adds a base model that is computed with: everything by content.</summary>
    public void BaseModel(KeyParts key, string folder, CancellationToken cancellationToken)
    {
        File(key, "base config", Path.Combine(folder, "config.json"), cancellationToken);
        foreach (string path in WeightFiles(folder))
        {
            File(key, Path.GetFileName(path), path, cancellationToken);
        }
    }

    /// <summary>Whether a later write to any of the files would surely be seen.</summary>
    public bool AreSettled => _files.TrueForAll(file => file.Identity.IsSettled);

    /// <summary>Whether every file is still what the key was made of.</summary>
    public bool AreUnchanged()
    {
        foreach ((string path, FileIdentity identity) in _files)
        {
            if (!System.IO.File.Exists(path) || FileIdentity.Of(path) != identity)
            {
                return false;
            }
        }

        return true;
    }

    private static IEnumerable<string> WeightFiles(string folder)
    {
        if (BaseWeightFiles.TryFind(folder) is not { } path)
        {
            return [];
        }

        using TensorFile file = BaseWeightFiles.Open(path);
        return file is ShardedSafetensorsFile sharded ? [path, .. sharded.Shards.Select(shard => shard.Path)] : [path];
    }

    private void TensorFile(KeyParts key, TensorFile file, CancellationToken cancellationToken)
    {
        if (Directory.Exists(file.Path))
        {
            // A distributed checkpoint: every file of the iteration, the run's configuration among them.
            foreach (string path in Directory.EnumerateFiles(file.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            {
                File(key, Path.GetRelativePath(file.Path, path).Replace('\\', '/'), path, cancellationToken);
            }

            string besides = Path.Combine(Path.GetDirectoryName(file.Path) ?? file.Path, "run_config.yaml");
            if (System.IO.File.Exists(besides))
            {
                File(key, "../run_config.yaml", besides, cancellationToken);
            }

            return;
        }

        File(key, Path.GetFileName(file.Path), file.Path, cancellationToken);
        if (file is ShardedSafetensorsFile sharded)
        {
            foreach (SafetensorsFile shard in sharded.Shards)
            {
                File(key, Path.GetFileName(shard.Path), shard.Path, cancellationToken);
            }
        }
    }
}

/// <summary>One text for all JSON texts that mean the same: members in ordinal order, no spaces, numbers as they stand.</summary>
internal static class CanonicalJson
{
    /// <summary>The canonical text.</summary>
    public static string Of(JsonElement element)
    {
        var text = new StringBuilder();
        Write(element, text);
        return text.ToString();
    }

    private static void Write(JsonElement element, StringBuilder text)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                text.Append('{');
                foreach (JsonProperty member in element.EnumerateObject().OrderBy(member => member.Name, StringComparer.Ordinal))
                {
                    text.Append(JsonSerializer.Serialize(member.Name, CacheJson.Default.String)).Append(':');
                    Write(member.Value, text);
                    text.Append(',');
                }

                text.Append('}');
                break;
            case JsonValueKind.Array:
                text.Append('[');
                foreach (JsonElement item in element.EnumerateArray())
                {
                    Write(item, text);
                    text.Append(',');
                }

                text.Append(']');
                break;
            case JsonValueKind.String:
                text.Append(JsonSerializer.Serialize(element.GetString()!, CacheJson.Default.String));
                break;
            default:
                text.Append(element.GetRawText());
                break;
        }
    }
}
