using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;

namespace Sway.Tensors.Torch;

/// <summary>What <c>torch.save</c> wrote: one pickled value, and the places of the storages that it refers to.</summary>
internal sealed class TorchContent
{
    private const int MaximumPickle = 64 << 20;
    private const int FirstWindow = 1 << 20;
    private const long LegacyProtocol = 1001;

    private static readonly BigInteger s_legacyMagic = BigInteger.Parse("119547037146038801333356", System.Globalization.CultureInfo.InvariantCulture);

    private readonly PositionalFile _file;
    private readonly Func<TorchTensor, ZipRecord?> _findStorage;

    private TorchContent(PositionalFile file, object? value, Func<TorchTensor, ZipRecord?> findStorage)
    {
        _file = file;
        Value = value;
        _findStorage = findStorage;
    }

    /// <summary>The pickled value, as data.</summary>
    public object? Value { get; }

    /// <summary>Reads a zip archive (torch 1.6 and later) that fills <c>[start, start + length)</c> of a file.</summary>
    public static TorchContent ReadZip(PositionalFile file, long start, long length)
    {
        ZipRecords records = ZipRecords.Read(file, start, length);
        if (records.FindText("byteorder") is { } order and not "little")
        {
            throw file.Damaged($"its numbers are stored in '{order}' byte order", start);
        }

        ZipRecord pickle = records.Find("data.pkl") ?? throw file.Damaged("the archive holds no data.pkl, so torch did not write it", start);
        if (pickle.Length > MaximumPickle)
        {
            throw file.Damaged($"its pickle has {pickle.Length} bytes", pickle.Offset);
        }

        byte[] bytes = ArrayPool<byte>.Shared.Rent((int)Math.Max(pickle.Length, 1));
        try
        {
            file.ReadExactly(pickle.Offset, bytes.AsSpan(0, (int)pickle.Length));
            object? value = new PickleReader(bytes, 0, (int)pickle.Length, TorchTensors.Globals, file.Path).Read();
            return new TorchContent(file, value, tensor => records.Find("data/" + tensor.StorageKey));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    /// <summary>Reads the stream format of torch before 1.6: four pickles, the storages' names, then the storages.</summary>
    public static TorchContent ReadLegacy(PositionalFile file)
    {
        // How long the pickles are is known only after reading them, so the window grows until they fit.
        for (int window = (int)Math.Min(file.Length, FirstWindow); ; window = (int)Math.Min(file.Length, (long)window * 4))
        {
            byte[] bytes = ArrayPool<byte>.Shared.Rent(Math.Max(window, 1));
            var reader = new PickleReader(bytes, 0, window, TorchTensors.Globals, file.Path);
            try
            {
                file.ReadExactly(0, bytes.AsSpan(0, window));
                return ReadLegacy(file, reader);
            }
            catch (AdapterFormatException) when (reader.RanOut && window < Math.Min(file.Length, MaximumPickle))
            {
                // Once more with a larger window.
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(bytes);
            }
        }
    }

    /// <summary>The place of a tensor's storage, whose size must be what the pickle says.</summary>
    public ZipRecord Locate(TorchTensor tensor, string name)
    {
        ZipRecord record = _findStorage(tensor) ?? throw _file.Damaged($"the storage {tensor.StorageKey} of {name} is missing", null, name);
        return record.Length / tensor.DType.ByteSize() == tensor.StorageElements && record.Length % tensor.DType.ByteSize() == 0
            ? record
            : throw _file.Damaged(
                $"the storage {tensor.StorageKey} of {name} has {record.Length} bytes instead of {tensor.StorageElements} elements", record.Offset, name);
    }

    private static TorchContent ReadLegacy(PositionalFile file, PickleReader reader)
    {
        if (reader.Read() is not BigInteger magic || magic != s_legacyMagic || reader.Read() is not LegacyProtocol)
        {
            throw file.Damaged("it is neither a zip archive nor a stream that torch wrote", 0);
        }

        if (reader.Read() is not PickleDictionary system || system.Find("little_endian") is not true)
        {
            throw file.Damaged("its numbers are not little-endian", reader.Position);
        }

        object? value = reader.Read();
        if (reader.Read() is not PickleList keys)
        {
            throw file.Damaged("it does not list its storages", reader.Position);
        }

        // Each storage is its element count and its elements; only a tensor that uses it knows their size.
        LegacyStorages storages = new(file, keys, reader.Position, value);
        return new TorchContent(file, value, tensor => storages.Find(tensor.StorageKey));
    }

    /// <summary>Walks the storages of the legacy format, whose places follow from the sizes of all earlier ones.</summary>
    private sealed class LegacyStorages
    {
        private readonly Dictionary<string, ZipRecord> _places = new(StringComparer.Ordinal);

        public LegacyStorages(PositionalFile file, PickleList keys, long position, object? value)
        {
            Dictionary<string, int> sizes = ElementSizes(value, file.Path);
            Span<byte> count = stackalloc byte[sizeof(long)];
            foreach (object? key in keys.Items)
            {
                if (key is not string name || !sizes.TryGetValue(name, out int size))
                {
                    throw file.Damaged("it lists a storage that no tensor uses", position);
                }

                file.ReadExactly(position, count);
                long elements = BinaryPrimitives.ReadInt64LittleEndian(count);
                position += sizeof(long);
                if (elements < 0 || elements > (file.Length - position) / size || !_places.TryAdd(name, new ZipRecord(position, elements * size)))
                {
                    throw file.Damaged($"the storage {name} does not fit into the file, or occurs twice", position);
                }

                position += elements * size;
            }

            if (position != file.Length)
            {
                throw file.Damaged($"{file.Length - position} bytes follow its last storage", position);
            }
        }

        public ZipRecord? Find(string key) => _places.TryGetValue(key, out ZipRecord place) ? place : null;

        private static Dictionary<string, int> ElementSizes(object? value, string path)
        {
            var sizes = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach ((object key, object? item) in (value as PickleDictionary)?.Pairs ?? [])
            {
                TorchTensor tensor = TorchTensors.Read(item, key as string ?? "(a key that is no text)", path);
                int size = tensor.DType.ByteSize();
                if (sizes.TryGetValue(tensor.StorageKey, out int other) && other != size)
                {
                    throw new AdapterFormatException($"{path}: the storage {tensor.StorageKey} has two element types.") { Path = path };
                }

                sizes[tensor.StorageKey] = size;
            }

            return sizes;
        }
    }
}
