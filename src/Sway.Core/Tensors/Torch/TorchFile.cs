namespace Sway.Tensors.Torch;

/// <summary>
/// A file of <c>torch.save</c> that holds a dictionary of tensors (<c>adapter_model.bin</c>), in the zip format or the
/// older stream format. Its pickle is read as data and never executed; tensors are read at positions when they are evaluated.
/// </summary>
public sealed class TorchFile : TensorFile
{
    private readonly PositionalFile _file;
    private readonly List<TensorInfo> _tensors = [];
    private readonly Dictionary<string, TensorView> _views = new(StringComparer.Ordinal);

    private TorchFile(PositionalFile file)
    {
        _file = file;
    }

    /// <inheritdoc/>
    public override string Path => _file.Path;

    /// <inheritdoc/>
    public override long FileLength => _file.Length;

    /// <inheritdoc/>
    public override IReadOnlyList<TensorInfo> Tensors => _tensors;

    /// <summary>Opens a file and reads its pickle; no weights.</summary>
    /// <exception cref="AdapterFormatException">The file is damaged, or not what torch writes.</exception>
    /// <exception cref="Adapters.ConversionRefusedException">The pickle names a class or function that tensors do not
    /// need (category UnsafePickle).</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static TorchFile OpenFile(string path)
    {
        var file = new TorchFile(PositionalFile.Open(path));
        try
        {
            file.ReadTensors();
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override TensorExpression Get(TensorInfo tensor) => _views[tensor.Name];

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file.Dispose();
        }

        base.Dispose(disposing);
    }

    private void ReadTensors()
    {
        Span<byte> start = stackalloc byte[4];
        if (_file.Length < start.Length)
        {
            throw _file.Damaged($"{_file.Length} bytes are too few for a file of torch", 0);
        }

        _file.ReadExactly(0, start);
        TorchContent content = start.SequenceEqual("PK\u0003\u0004"u8) ? TorchContent.ReadZip(_file, 0, _file.Length) : TorchContent.ReadLegacy(_file);
        if (content.Value is not PickleDictionary { Pairs.Count: > 0 } state)
        {
            throw _file.Damaged("it holds no dictionary of tensors", 0);
        }

        foreach ((object key, object? value) in state.Pairs)
        {
            string name = key as string ?? throw _file.Damaged("a tensor's name is not a text");
            TorchTensor tensor = TorchTensors.Read(value, name, Path);
            ZipRecord storage = content.Locate(tensor, name);
            int size = tensor.DType.ByteSize();
            var info = new TensorInfo(
                name, tensor.DType, tensor.Shape, storage.Offset + (tensor.Offset * size), tensor.Shape.Aggregate((long)size, static (product, n) => product * n));
            if (!_views.TryAdd(name, new TensorView(new TorchStorage(_file, storage, name), tensor.DType, tensor.Shape, tensor.Strides, tensor.Offset)))
            {
                throw _file.Damaged($"{name} occurs twice", null, name);
            }

            _tensors.Add(info);
        }
    }
}

/// <summary>The bytes of one storage.</summary>
internal sealed class TorchStorage(PositionalFile file, ZipRecord place, string name) : ITensorSource
{
    public string Name => name;

    public void Read(long byteOffset, Span<byte> destination) => file.ReadExactly(place.Offset + byteOffset, destination, name);
}
