using System.Buffers;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;

namespace Sway.Unit.Adapters.Megatron;

/// <summary>Writes torch distributed checkpoints of float32 tensors, cut into any chunks, as torch lays them out.</summary>
internal sealed class TorchDistWriter(string folder)
{
    private readonly List<(string Name, long[] Shape, List<(long[] Offsets, long[] Sizes)> Chunks)> _tensors = [];
    private readonly List<(string Name, long[] Offsets, string File, long Offset, long Length)> _records = [];
    private readonly Dictionary<string, MemoryStream> _files = new(StringComparer.Ordinal);

    /// <summary>Adds a tensor in equal blocks.</summary>
    /// <param name="name">Its name on disk.</param>
    /// <param name="values">All elements, row-major.</param>
    /// <param name="shape">The global shape.</param>
    /// <param name="parts">The number of blocks along each axis; each block goes to the file of another rank.</param>
    public void Add(string name, float[] values, long[] shape, params long[] parts)
    {
        var chunks = new List<(long[] Offsets, long[] Sizes)>();
        long[] sizes = [.. shape.Zip(parts, (size, count) => size / count)];
        long blocks = parts.Aggregate(1L, (product, count) => product * count);
        for (long block = 0; block < blocks; block++)
        {
            long[] offsets = new long[shape.Length];
            long rest = block;
            for (int axis = shape.Length - 1; axis >= 0; axis--)
            {
                offsets[axis] = rest % parts[axis] * sizes[axis];
                rest /= parts[axis];
            }

            chunks.Add((offsets, sizes));
            string file = $"__{block}_0.distcp";
            MemoryStream stream = _files.TryGetValue(file, out MemoryStream? known) ? known : _files[file] = new MemoryStream();
            long start = stream.Position;
            stream.Write(Record(Block(values, shape, offsets, sizes), sizes));
            _records.Add((name, offsets, file, start, stream.Position - start));
        }

        _tensors.Add((name, shape, chunks));
    }

    /// <summary>Writes the files.</summary>
    public void Save(string runConfig)
    {
        Directory.CreateDirectory(folder);
        foreach ((string name, MemoryStream stream) in _files)
        {
            File.WriteAllBytes(Path.Combine(folder, name), stream.ToArray());
        }

        File.WriteAllBytes(Path.Combine(folder, ".metadata"), Metadata());
        File.WriteAllText(Path.Combine(folder, "metadata.json"), """{"sharded_backend": "torch_dist", "sharded_backend_version": 1}""");
        File.WriteAllText(Path.Combine(folder, "run_config.yaml"), runConfig);
    }

    private static float[] Block(float[] values, long[] shape, long[] offsets, long[] sizes)
    {
        long count = sizes.Aggregate(1L, (product, size) => product * size);
        float[] block = new float[count];
        for (long i = 0; i < count; i++)
        {
            long rest = i, at = 0, stride = 1;
            for (int axis = shape.Length - 1; axis >= 0; axis--)
            {
                at += (offsets[axis] + (rest % sizes[axis])) * stride;
                rest /= sizes[axis];
                stride *= shape[axis];
            }

            block[i] = values[at];
        }

        return block;
    }

    /// <summary>What torch.save writes for one tensor.</summary>
    private static byte[] Record(float[] values, long[] sizes)
    {
        var pickle = new PickleWriter();
        pickle.Global("torch._utils", "_rebuild_tensor_v2").Mark()
            .Mark().Text("storage").Global("torch", "FloatStorage").Text("0").Text("cpu").Number(values.Length).Tuple().Persistent()
            .Number(0).Numbers(sizes).Numbers(Strides(sizes)).False().Global("collections", "OrderedDict").EmptyTuple().Reduce()
            .Tuple().Reduce();
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            Entry(zip, "archive/data.pkl", pickle.Finish());
            Entry(zip, "archive/byteorder", "little"u8);
            Entry(zip, "archive/data/0", MemoryMarshal.AsBytes(values.AsSpan()));
            Entry(zip, "archive/version", "3\n"u8);
        }

        return stream.ToArray();
    }

    private static void Entry(ZipArchive zip, string name, ReadOnlySpan<byte> content)
    {
        using Stream entry = zip.CreateEntry(name, CompressionLevel.NoCompression).Open();
        entry.Write(content);
    }

    private static long[] Strides(long[] sizes)
    {
        long[] strides = new long[sizes.Length];
        long stride = 1;
        for (int axis = sizes.Length - 1; axis >= 0; axis--)
        {
            strides[axis] = stride;
            stride *= sizes[axis];
        }

        return strides;
    }

    private byte[] Metadata()
    {
        const string Module = "torch.distributed.checkpoint.metadata";
        var pickle = new PickleWriter();
        pickle.Global(Module, "Metadata").EmptyTuple().New().EmptyDictionary().Mark();
        pickle.Text("state_dict_metadata").EmptyDictionary().Mark();
        foreach ((string name, long[] shape, List<(long[] Offsets, long[] Sizes)> chunks) in _tensors)
        {
            pickle.Text(name).Global(Module, "TensorStorageMetadata").EmptyTuple().New().EmptyDictionary().Mark();
            pickle.Text("properties").Global(Module, "TensorProperties").EmptyTuple().New()
                .Mark().Global("torch", "float32").None().False().None().False().Tuple().Build();
            pickle.Text("size").Size(shape).Text("chunks").EmptyList().Mark();
            foreach ((long[] offsets, long[] sizes) in chunks)
            {
                pickle.Global(Module, "ChunkStorageMetadata").EmptyTuple().New().EmptyDictionary().Mark()
                    .Text("offsets").Size(offsets).Text("sizes").Size(sizes).SetItems().Build();
            }

            pickle.Appends().SetItems().Build();
        }

        pickle.SetItems().Text("storage_data").EmptyDictionary().Mark();
        foreach ((string name, long[] offsets, string file, long offset, long length) in _records)
        {
            pickle.Global(Module, "MetadataIndex").EmptyTuple().New().EmptyDictionary().Mark()
                .Text("fqn").Text(name).Text("offset").Size(offsets).Text("index").None().SetItems().Build();
            pickle.Global("torch.distributed.checkpoint.filesystem", "_StorageInfo").EmptyTuple().New().EmptyDictionary().Mark()
                .Text("relative_path").Text(file).Text("offset").Number(offset).Text("length").Number(length).SetItems().Build();
        }

        pickle.SetItems().SetItems().Build();
        return pickle.Finish();
    }

    /// <summary>The few pickle instructions that these files need (protocol 2).</summary>
    private sealed class PickleWriter
    {
        private readonly ArrayBufferWriter<byte> _bytes = new();

        public PickleWriter() => Put(0x80, 2);

        public byte[] Finish()
        {
            Put((byte)'.');
            return _bytes.WrittenSpan.ToArray();
        }

        public PickleWriter Global(string module, string name) => Put((byte)'c').Raw($"{module}\n{name}\n");

        public PickleWriter Text(string text)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            Put((byte)'X');
            _bytes.Write(BitConverter.GetBytes(bytes.Length));
            _bytes.Write(bytes);
            return this;
        }

        public PickleWriter Number(long value)
        {
            Put((byte)'J');
            _bytes.Write(BitConverter.GetBytes(checked((int)value)));
            return this;
        }

        public PickleWriter Numbers(long[] values)
        {
            Mark();
            Array.ForEach(values, value => Number(value));
            return Tuple();
        }

        public PickleWriter Size(long[] sizes) => Global("torch", "Size").Numbers(sizes).Put(0x85).Reduce();

        public PickleWriter Mark() => Put((byte)'(');

        public PickleWriter Tuple() => Put((byte)'t');

        public PickleWriter EmptyTuple() => Put((byte)')');

        public PickleWriter EmptyList() => Put((byte)']');

        public PickleWriter Appends() => Put((byte)'e');

        public PickleWriter EmptyDictionary() => Put((byte)'}');

        public PickleWriter SetItems() => Put((byte)'u');

        public PickleWriter New() => Put(0x81);

        public PickleWriter Build() => Put((byte)'b');

        public PickleWriter Reduce() => Put((byte)'R');

        public PickleWriter Persistent() => Put((byte)'Q');

        public PickleWriter None() => Put((byte)'N');

        public PickleWriter False() => Put(0x89);

        private PickleWriter Put(params byte[] codes)
        {
            _bytes.Write(codes);
            return this;
        }

        private PickleWriter Raw(string text)
        {
            _bytes.Write(Encoding.ASCII.GetBytes(text));
            return this;
        }
    }
}
