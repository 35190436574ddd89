using System.IO.MemoryMappedFiles;

namespace Sway.Tensors;

/// <summary>
/// A base model's weights mapped into memory: single file, or sharded with an index. Only for trusted base weights;
/// a file that is truncated while mapped ends the process.
/// </summary>
public sealed unsafe class MappedWeights : IDisposable
{
    private readonly List<Mapping> _mappings = [];
    private readonly Dictionary<string, MappedTensor> _tensors = new(StringComparer.Ordinal);

    private MappedWeights(string path)
    {
        Path = path;
    }

    /// <summary>The file or index that was opened.</summary>
    public string Path { get; }

    /// <summary>All tensors by name.</summary>
    public IReadOnlyDictionary<string, MappedTensor> Tensors => _tensors;

    /// <summary>The size of all files in bytes.</summary>
    public long FileLength { get; private set; }

    /// <summary>Maps the weights of a model folder: <c>model.safetensors.index.json</c> and its shards, or
    /// <c>model.safetensors</c>, or the single <c>*.safetensors</c> file.</summary>
    /// <exception cref="AdapterFormatException">There are no weights, or a file is not valid.</exception>
    public static MappedWeights OpenFolder(string folder)
    {
        string path = BaseWeightFiles.Find(folder);
        using TensorFile checkedFile = BaseWeightFiles.Open(path);
        var weights = new MappedWeights(path);
        try
        {
            IEnumerable<SafetensorsFile> parts = checkedFile is ShardedSafetensorsFile sharded ? sharded.Shards : [(SafetensorsFile)checkedFile];
            foreach (SafetensorsFile part in parts)
            {
                weights.Map(part);
            }

            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _tensors.Clear();
        _mappings.ForEach(mapping => mapping.Dispose());
        _mappings.Clear();
    }

    private void Map(SafetensorsFile file)
    {
        var mapping = new Mapping(file.Path);
        _mappings.Add(mapping);
        FileLength += file.FileLength;
        foreach (TensorInfo tensor in file.Tensors)
        {
            _tensors.Add(tensor.Name, new MappedTensor(tensor, mapping.Start + tensor.Offset));
        }
    }

    private sealed class Mapping : IDisposable
    {
        private readonly MemoryMappedFile _file;
        private readonly MemoryMappedViewAccessor _view;

        public Mapping(string path)
        {
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            _file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            _view = _file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            byte* pointer = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
            Start = pointer + _view.PointerOffset;
        }

        public byte* Start { get; }

        public void Dispose()
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _file.Dispose();
        }
    }
}

/// <summary>One tensor of <see cref="MappedWeights"/>; valid until that is disposed.</summary>
public readonly unsafe struct MappedTensor(TensorInfo info, byte* data)
{
    /// <summary>Name, type and shape.</summary>
    public TensorInfo Info { get; } = info;

    /// <summary>The first byte of the data, as stored; it may be unaligned.</summary>
    public byte* Data { get; } = data;

    /// <summary>The data as a span, for tensors below 2 GB.</summary>
    public ReadOnlySpan<byte> Span => new(Data, checked((int)Info.ByteLength));
}
