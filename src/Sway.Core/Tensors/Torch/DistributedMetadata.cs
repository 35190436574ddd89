using System.Collections.Immutable;

namespace Sway.Tensors.Torch;

/// <summary>A block of a global tensor: where it begins and how large it is along each axis.</summary>
internal sealed record DistributedChunk(ImmutableArray<long> Offsets, ImmutableArray<long> Sizes);

/// <summary>A global tensor and the blocks that it was saved in.</summary>
internal sealed record DistributedTensor(string Name, DType? DType, ImmutableArray<long> Shape, IReadOnlyList<DistributedChunk> Chunks);

/// <summary>A record: <c>[Offset, Offset + Length)</c> of a file beside the metadata.</summary>
internal sealed record DistributedRecord(string File, long Offset, long Length);

/// <summary>
/// The <c>.metadata</c> of a torch distributed checkpoint, which is a pickle of
/// <c>torch.distributed.checkpoint.metadata.Metadata</c>: which tensors there are and where their blocks lie.
/// </summary>
internal sealed class DistributedMetadata
{
    private const int MaximumLength = 64 << 20;

    private readonly Dictionary<(string Name, string Offsets), DistributedRecord> _records = [];
    private readonly string _path;

    private DistributedMetadata(string path)
    {
        _path = path;
    }

    /// <summary>The tensors, in the file's order; byte records (random states and the like) are left out.</summary>
    public List<DistributedTensor> Tensors { get; } = [];

    /// <summary>Reads the metadata of a folder.</summary>
    public static DistributedMetadata Read(string path)
    {
        byte[] bytes;
        using (PositionalFile file = PositionalFile.Open(path))
        {
            bytes = file.Length is > 0 and <= MaximumLength
                ? new byte[file.Length]
                : throw file.Damaged($"{file.Length} bytes are no size of a checkpoint's metadata");
            file.ReadExactly(0, bytes);
        }

        var metadata = new DistributedMetadata(path);
        metadata.Fill(new PickleReader(bytes, 0, bytes.Length, MetadataGlobals.Instance, path).Read());
        return metadata;
    }

    /// <summary>The record of a block.</summary>
    public DistributedRecord? Find(DistributedTensor tensor, DistributedChunk chunk) => _records.GetValueOrDefault((tensor.Name, Key(chunk.Offsets)));

    private void Fill(object? value)
    {
        if (value is not PickleInstance root || root.Type.Name != "Metadata"
            || root.Field("state_dict_metadata") is not PickleDictionary tensors
            || root.Field("storage_data") is not PickleDictionary records)
        {
            throw Damaged("it does not describe a checkpoint");
        }

        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach ((object key, object? item) in tensors.Pairs)
        {
            if (key is not string name || item is not PickleInstance entry || !names.Add(name))
            {
                throw Damaged("an entry has no name of its own");
            }

            switch (entry.Type.Name)
            {
                case "TensorStorageMetadata":
                    Tensors.Add(ReadTensor(name, entry));
                    break;
                case "BytesStorageMetadata":
                    break;
                default:
                    throw Damaged($"{name} is a {entry.Type}", name);
            }
        }

        foreach ((object key, object? item) in records.Pairs)
        {
            AddRecord(key as PickleInstance, item as PickleInstance);
        }
    }

    private DistributedTensor ReadTensor(string name, PickleInstance entry)
    {
        if (entry.Field("chunks") is not PickleList chunks)
        {
            throw Damaged($"{name} has no list of chunks", name);
        }

        ImmutableArray<long> shape = TorchTensors.Sizes(entry.Field("size"), name, _path);
        var read = new List<DistributedChunk>();
        foreach (object? item in chunks.Items)
        {
            if (item is not PickleInstance chunk || chunk.Type.Name != "ChunkStorageMetadata")
            {
                throw Damaged($"{name} has a chunk of an unknown kind", name);
            }

            read.Add(new DistributedChunk(
                TorchTensors.Sizes(chunk.Field("offsets"), name, _path), TorchTensors.Sizes(chunk.Field("sizes"), name, _path)));
        }

        return new DistributedTensor(name, ReadDType(entry.Field("properties"), name), shape, read);
    }

    // The state is a tuple that starts with the type, or a dictionary.
    private DType? ReadDType(object? properties, string name)
    {
        object? state = (properties as PickleInstance)?.State;
        object? type = state is PickleTuple { Items: [var first, ..] } ? first : (properties as PickleInstance)?.Field("dtype");
        return type is PickleGlobal { Module: "torch" } global
            ? MetadataGlobals.DTypeOf(global.Name)
            : throw Damaged($"{name} has no element type", name);
    }

    private void AddRecord(PickleInstance? index, PickleInstance? place)
    {
        if (index?.Field("fqn") is not string name || place is null)
        {
            throw Damaged("a record has no name");
        }

        // Byte records have no offset; nothing here reads them.
        if (index.Field("offset") is not { } offsets)
        {
            return;
        }

        if (place.Field("relative_path") is not string file || place.Field("offset") is not long offset || place.Field("length") is not long length)
        {
            throw Damaged($"a record of {name} has no place", name);
        }

        if (place.Field("transform_descriptors") is PickleList { Items.Count: > 0 } or PickleTuple { Items.Length: > 0 } or string)
        {
            throw Damaged($"a record of {name} was transformed by an extension of the writer (compressed or encrypted)", name);
        }

        if (!_records.TryAdd((name, Key(TorchTensors.Sizes(offsets, name, _path))), new DistributedRecord(file, offset, length)))
        {
            throw Damaged($"two records hold the same chunk of {name}", name);
        }
    }

    private static string Key(ImmutableArray<long> offsets) => string.Join(',', offsets);

    private AdapterFormatException Damaged(string what, string? tensor = null) =>
        new($"{_path}: {what}.") { Path = _path, Tensors = tensor is null ? [] : [tensor] };
}

/// <summary>The globals of <c>.metadata</c>; <c>all_local_plans</c> needs the planner's classes, though nothing reads it.</summary>
internal sealed class MetadataGlobals : IPickleGlobals
{
    public static MetadataGlobals Instance { get; } = new();

    public bool Allows(string module, string name) => module switch
    {
        "torch.distributed.checkpoint.metadata" => name is "Metadata" or "TensorStorageMetadata" or "BytesStorageMetadata" or "ChunkStorageMetadata"
            or "MetadataIndex" or "TensorProperties" or "StorageMeta" or "_MEM_FORMAT_ENCODING",
        "torch.distributed.checkpoint.filesystem" => name is "_StorageInfo" or "_StoragePrefix",
        "torch.distributed.checkpoint.planner" => name is "SavePlan" or "WriteItem" or "WriteItemType" or "TensorWriteData" or "BytesIOWriteData",
        "torch.distributed._shard.sharded_tensor.metadata" => name is "TensorProperties" or "MEM_FORMAT_ENCODING", // torch 2.2 and earlier
        "torch" => name is "Size" || IsDTypeName(name),
        "torch.serialization" => name is "_get_layout",
        "collections" => name is "OrderedDict",
        "pathlib" or "pathlib._local" => name is "PosixPath" or "WindowsPath" or "PurePosixPath",
        _ => false,
    };

    /// <summary>The element type of torch's name for it; null for one that no adapter has.</summary>
    public static DType? DTypeOf(string name) => name switch
    {
        "float32" => DType.F32,
        "bfloat16" => DType.BF16,
        "float16" => DType.F16,
        "float64" => DType.F64,
        "int64" => DType.I64,
        "int32" => DType.I32,
        "int16" => DType.I16,
        "int8" => DType.I8,
        "uint8" => DType.U8,
        "bool" => DType.Bool,
        "float8_e4m3fn" => DType.F8E4M3,
        "float8_e5m2" => DType.F8E5M2,
        _ => null,
    };

    private static bool IsDTypeName(string name) => DTypeOf(name) is not null
        || name is "float8_e4m3fnuz" or "float8_e5m2fnuz" or "float8_e8m0fnu" or "complex64" or "complex128" or "uint16" or "uint32" or "uint64";
}
