using System.Collections.Immutable;

namespace Sway.Tensors.Torch;

/// <summary>
/// A torch distributed checkpoint (<c>.metadata</c> and <c>.distcp</c> files): every tensor as a whole, whatever the
/// parallelism of the run that saved it. Opening reads the metadata and the headers of the wanted tensors' records.
/// </summary>
internal sealed class DistributedCheckpoint : TensorFile
{
    private readonly Dictionary<string, PositionalFile> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TensorExpression> _expressions = new(StringComparer.Ordinal);
    private readonly List<TensorInfo> _tensors = [];
    private readonly string _folder;

    private DistributedCheckpoint(string folder)
    {
        _folder = folder;
    }

    /// <inheritdoc/>
    public override string Path => _folder;

    /// <inheritdoc/>
    public override IReadOnlyList<TensorInfo> Tensors => _tensors;

    /// <summary>The size of the shards that hold wanted tensors, in bytes.</summary>
    public override long FileLength => _files.Values.Sum(file => file.Length);

    /// <summary>The names of all tensors in the metadata, wanted or not.</summary>
    public IReadOnlyList<string> AllNames { get; private set; } = [];

    /// <summary>Opens a checkpoint folder.</summary>
    /// <param name="folder">The folder with <c>.metadata</c>.</param>
    /// <param name="wanted">Which tensors will be read; the records of the others are not looked at.</param>
    /// <exception cref="AdapterFormatException">A file is missing or damaged, or chunks leave holes or overlap.</exception>
    /// <exception cref="Adapters.ConversionRefusedException">A pickle names a foreign class or function.</exception>
    public static DistributedCheckpoint Open(string folder, Func<string, bool> wanted)
    {
        var checkpoint = new DistributedCheckpoint(folder);
        try
        {
            DistributedMetadata metadata = DistributedMetadata.Read(System.IO.Path.Combine(folder, ".metadata"));
            checkpoint.AllNames = [.. metadata.Tensors.Select(tensor => tensor.Name)];
            foreach (DistributedTensor tensor in metadata.Tensors.Where(tensor => wanted(tensor.Name)))
            {
                checkpoint.Add(metadata, tensor);
            }

            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override TensorExpression Get(TensorInfo tensor) => _expressions[tensor.Name];

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (PositionalFile file in _files.Values)
            {
                file.Dispose();
            }
        }

        base.Dispose(disposing);
    }

    private void Add(DistributedMetadata metadata, DistributedTensor tensor)
    {
        DType dtype = tensor.DType ?? throw Damaged("has an element type that Sway does not read", tensor.Name);
        if (tensor.Shape.Contains(0))
        {
            throw Damaged($"is empty: {TensorInfo.FormatShape(tensor.Shape)}", tensor.Name);
        }

        List<(DistributedChunk Chunk, TensorExpression Value)> blocks = [.. tensor.Chunks.Select(chunk => (chunk, ReadChunk(metadata, tensor, chunk, dtype)))];
        TensorExpression value = ChunkAssembly.Join(tensor.Shape, blocks, what => Damaged($"cannot be put together: {what}", tensor.Name));
        _expressions.Add(tensor.Name, value);
        _tensors.Add(new TensorInfo(tensor.Name, dtype, tensor.Shape, 0, value.ByteLength));
    }

    private TensorView ReadChunk(DistributedMetadata metadata, DistributedTensor tensor, DistributedChunk chunk, DType dtype)
    {
        DistributedRecord record = metadata.Find(tensor, chunk)
            ?? throw Damaged($"has no record of its chunk at {TensorInfo.FormatShape(chunk.Offsets)}", tensor.Name);
        PositionalFile file = OpenShard(record.File, tensor.Name);
        TorchContent content = TorchContent.ReadZip(file, record.Offset, record.Length);
        TorchTensor stored = TorchTensors.Read(content.Value, tensor.Name, file.Path);
        if (stored.DType != dtype)
        {
            throw Damaged($"is {dtype} in .metadata and {stored.DType} in {record.File}", tensor.Name);
        }

        ZipRecord storage = content.Locate(stored, tensor.Name);
        ImmutableArray<long>? strides = StridesFor(chunk.Sizes, stored);
        return strides is { } fitting
            ? new TensorView(new TorchStorage(file, storage, tensor.Name), dtype, chunk.Sizes, fitting, stored.Offset)
            : throw Damaged(
                $"has a chunk of size {TensorInfo.FormatShape(chunk.Sizes)} whose record holds {TensorInfo.FormatShape(stored.Shape)}", tensor.Name);
    }

    // A record may lack the axes of size 1 that the writer put before the local tensor.
    private static ImmutableArray<long>? StridesFor(ImmutableArray<long> sizes, TorchTensor stored)
    {
        var strides = new long[sizes.Length];
        int axis = 0;
        for (int i = 0; i < sizes.Length; i++)
        {
            if (sizes[i] == 1)
            {
                continue;
            }

            while (axis < stored.Shape.Length && stored.Shape[axis] == 1)
            {
                axis++;
            }

            if (axis == stored.Shape.Length || stored.Shape[axis] != sizes[i])
            {
                return null;
            }

            strides[i] = stored.Strides[axis++];
        }

        return stored.Shape.Skip(axis).All(static size => size == 1) ? [.. strides] : null;
    }

    private PositionalFile OpenShard(string name, string tensor)
    {
        if (_files.TryGetValue(name, out PositionalFile? open))
        {
            return open;
        }

        // The name comes from the file: it may name a shard beside .metadata and nothing else.
        if (name.Length == 0 || name.IndexOfAny(['/', '\\', ':', '\0']) >= 0 || name is "." or "..")
        {
            throw Damaged("lies, as .metadata says, in a file outside the checkpoint's folder", tensor);
        }

        string path = System.IO.Path.Combine(_folder, name);
        if (!File.Exists(path))
        {
            throw Damaged($"lies in {name}, which is missing", tensor);
        }

        PositionalFile file = PositionalFile.Open(path);
        _files.Add(name, file);
        return file;
    }

    private AdapterFormatException Damaged(string what, string tensor) =>
        new($"{_folder}: {tensor} {what}.") { Path = _folder, Tensors = [tensor] };
}
