using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Sway.IO;

namespace Sway.Tensors;

/// <summary>
/// The JSON header of a safetensors file: an 8-byte little-endian length, then names, types, shapes and byte ranges.
/// Ranges must tile the data exactly; their order, the alignment, and a null metadata entry are free, as MLX writes them.
/// </summary>
internal sealed class SafetensorsHeader
{
    /// <summary>The longest header that is read, the limit of the format's reference implementation.</summary>
    public const long MaximumLength = 100_000_000;

    private const int MaximumDimensions = 16;
    private const int MaximumDepth = 8;

    private SafetensorsHeader(TensorInfo[] tensors, Dictionary<string, string> metadata)
    {
        Tensors = tensors;
        Metadata = metadata;
    }

    public IReadOnlyList<TensorInfo> Tensors { get; }

    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Checks the length prefix against the file before anything is allocated.</summary>
    public static int ReadLength(ReadOnlySpan<byte> prefix, long fileLength, string path)
    {
        if (fileLength < sizeof(ulong))
        {
            throw Bad(path, $"the file has {fileLength} bytes; a safetensors file has at least 8", 0);
        }

        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaximumLength)
        {
            throw Bad(path, $"the header claims {length} bytes, more than the format's limit of {MaximumLength}", 0);
        }

        if ((long)length > fileLength - sizeof(ulong))
        {
            throw Bad(path, $"the header claims {length} bytes but the file ends after {fileLength}", 0);
        }

        return (int)length;
    }

    /// <summary>Parses and checks the header.</summary>
    /// <param name="json">The header's bytes, without the length prefix.</param>
    /// <param name="fileLength">The length of the whole file.</param>
    /// <param name="path">The file, for messages.</param>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, long fileLength, string path)
    {
        long dataStart = sizeof(ulong) + (long)json.Length;
        var tensors = new List<TensorInfo>();
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        var names = new HashSet<string>(StringComparer.Ordinal);
        try
        {
            var reader = new JsonTokens(json, MaximumDepth);
            Expect(ref reader, JsonKind.Object, path, "the header is not a JSON object");
            while (reader.Read() && reader.Kind != JsonKind.EndObject)
            {
                string name = reader.GetString()!;
                if (!names.Add(name))
                {
                    throw Bad(path, $"two entries are named {name}", reader.Start, name);
                }

                if (name == "__metadata__")
                {
                    ReadMetadata(ref reader, metadata, path);
                }
                else
                {
                    tensors.Add(ReadTensor(ref reader, name, dataStart, path));
                }
            }

            while (reader.Read())
            {
                // The reader itself refuses anything but white space after the object.
            }
        }
        catch (Exception e) when (IsOfText(e))
        {
            throw NotJson(path, e);
        }

        CheckTiling(tensors, dataStart, fileLength, path);
        return new SafetensorsHeader([.. tensors], metadata);
    }

    // Apart, because a method that names the library's exception loads the library. The other is what the reader answers to text that
    // is not UTF-8 and to lone surrogates.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool IsOfText(Exception problem) => problem is JsonException or InvalidOperationException;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static AdapterFormatException NotJson(string path, Exception problem) => Bad(
        path,
        problem is JsonException json
            ? $"the header is not valid JSON: {JsonFile.Describe(json, oneLine: true)}"
            : $"the header holds text that is not valid Unicode ({problem.Message})",
        sizeof(ulong),
        inner: problem);

    private static void Expect(ref JsonTokens reader, JsonKind kind, string path, string message, string? name = null)
    {
        if (!reader.Read() || reader.Kind != kind)
        {
            throw Bad(path, message, sizeof(ulong) + reader.Start, name);
        }
    }

    private static void ReadMetadata(
        ref JsonTokens reader, Dictionary<string, string> metadata, string path)
    {
        reader.Read();
        if (reader.Kind == JsonKind.Null)
        {
            return; // mlx.core.save_safetensors writes null where it has none.
        }

        if (reader.Kind != JsonKind.Object)
        {
            throw Bad(path, "__metadata__ is not an object of strings", sizeof(ulong) + reader.Start);
        }

        while (reader.Read() && reader.Kind != JsonKind.EndObject)
        {
            string key = reader.GetString()!;
            Expect(ref reader, JsonKind.String, path, $"__metadata__ entry {key} is not a string");
            metadata[key] = reader.GetString()!;
        }
    }

    private static TensorInfo ReadTensor(ref JsonTokens reader, string name, long dataStart, string path)
    {
        Expect(ref reader, JsonKind.Object, path, $"the entry of tensor {name} is not an object", name);
        DType? dtype = null;
        long[]? shape = null;
        long[]? range = null;
        while (reader.Read() && reader.Kind != JsonKind.EndObject)
        {
            string field = reader.GetString()!;
            switch (field)
            {
                case "dtype" when dtype is null:
                    Expect(ref reader, JsonKind.String, path, $"tensor {name}: dtype is not a string", name);
                    string text = reader.GetString()!;
                    dtype = DTypeExtensions.TryParseSafetensors(text, out DType parsed)
                        ? parsed
                        : throw Bad(path, $"tensor {name} has the unknown dtype {text}", null, name);
                    break;
                case "shape" when shape is null:
                    shape = ReadIntegers(ref reader, name, field, path);
                    break;
                case "data_offsets" when range is null:
                    range = ReadIntegers(ref reader, name, field, path);
                    break;
                default:
                    throw Bad(path, $"tensor {name} has the unexpected field {field}", null, name);
            }
        }

        if (dtype is not { } type || shape is null || range is not [var begin, var end])
        {
            throw Bad(path, $"tensor {name} lacks its dtype, shape or two data_offsets", null, name);
        }

        if (end < begin)
        {
            throw Bad(path, $"tensor {name} ends ({end}) before it begins ({begin})", null, name);
        }

        if (!TryByteLength(type, shape, out long wanted))
        {
            throw Bad(path, $"tensor {name} of shape {TensorInfo.FormatShape(shape)} is impossibly large", null, name);
        }

        if (wanted != end - begin)
        {
            throw Bad(
                path,
                $"tensor {name}: {type.SafetensorsName()} {TensorInfo.FormatShape(shape)} needs {wanted} bytes, "
                + $"its range [{begin}, {end}) holds {end - begin}",
                dataStart + begin,
                name);
        }

        return TensorInfo.OfSizes(name, type, shape, dataStart + begin, wanted);
    }

    private static long[] ReadIntegers(ref JsonTokens reader, string name, string field, string path)
    {
        Expect(ref reader, JsonKind.Array, path, $"tensor {name}: {field} is not an array", name);
        Span<long> values = stackalloc long[MaximumDimensions];
        int count = 0;
        while (reader.Read() && reader.Kind != JsonKind.EndArray)
        {
            if (reader.Kind != JsonKind.Number || !reader.TryGetInt64(out long value) || value < 0)
            {
                throw Bad(path, $"tensor {name}: {field} holds something that is not a whole number >= 0", null, name);
            }

            if (count == MaximumDimensions)
            {
                throw Bad(path, $"tensor {name}: {field} has more than {MaximumDimensions} entries", null, name);
            }

            values[count++] = value;
        }

        return values[..count].ToArray();
    }

    private static bool TryByteLength(DType dtype, long[] shape, out long bytes)
    {
        // A zero anywhere makes the tensor empty, but the other sizes must still multiply without overflow,
        // as in the reference implementation.
        long bits = dtype.BitSize();
        bytes = 0;
        foreach (long size in shape)
        {
            if (size > 0 && bits > long.MaxValue / size)
            {
                return false;
            }

            bits *= size;
        }

        bytes = bits / 8;
        return bits % 8 == 0;
    }

    private static void CheckTiling(
        List<TensorInfo> tensors, long dataStart, long fileLength, string path)
    {
        long position = dataStart;
        IEnumerable<TensorInfo> ordered = InOrder(tensors) ? tensors : tensors.OrderBy(t => t.Offset).ThenBy(t => t.ByteLength);
        foreach (TensorInfo tensor in ordered)
        {
            if (tensor.Offset < position)
            {
                throw Bad(path, $"tensor {tensor.Name} overlaps the tensor before it", tensor.Offset, tensor.Name);
            }

            if (tensor.Offset > position)
            {
                throw Bad(path, $"{tensor.Offset - position} bytes before tensor {tensor.Name} belong to no tensor", position, tensor.Name);
            }

            position = tensor.Offset + tensor.ByteLength;
            if (position > fileLength || position < tensor.Offset)
            {
                throw Bad(
                    path, $"tensor {tensor.Name} ends at byte {position}, past the end of the file ({fileLength})", tensor.Offset, tensor.Name);
            }
        }

        if (position != fileLength)
        {
            throw Bad(path, $"the last {fileLength - position} bytes belong to no tensor", position);
        }
    }

    private static bool InOrder(List<TensorInfo> tensors)
    {
        for (int i = 1; i < tensors.Count; i++)
        {
            TensorInfo before = tensors[i - 1], after = tensors[i];
            if (after.Offset < before.Offset || (after.Offset == before.Offset && after.ByteLength < before.ByteLength))
            {
                return false;
            }
        }

        return true;
    }

    private static AdapterFormatException Bad(
        string path, string what, long? offset, string? tensor = null, Exception? inner = null) =>
        new($"{path} is not a valid safetensors file: {what}.", inner)
        {
            Path = path,
            Offset = offset,
            Tensors = tensor is null ? [] : [tensor],
            Remedy = "Download or export the file again; its size or checksum at the source shows whether it is whole.",
        };
}
