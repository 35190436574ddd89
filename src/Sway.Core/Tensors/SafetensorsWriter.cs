using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Sway.IO;

namespace Sway.Tensors;

/// <summary>A tensor to be written: its name and how its elements come about.</summary>
/// <param name="Name">The name in the output.</param>
/// <param name="Value">The elements.</param>
public sealed record PlannedTensor(string Name, TensorExpression Value);

/// <summary>Sees the bytes of a tile on their way to the file.</summary>
public delegate void TileInspector(PlannedTensor tensor, ReadOnlySpan<byte> tile);

/// <summary>
/// Writes safetensors files from plans: the header is known before the first element is read, the tensors are evaluated
/// and written in tiles, so that memory does not grow with the file.
/// </summary>
public static class SafetensorsWriter
{
    private const int TileBytes = 2 << 20;

    /// <summary>The exact length of the file that a plan gives.</summary>
    public static long PlannedLength(IReadOnlyList<PlannedTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        Header(tensors, metadata).Length + tensors.Sum(tensor => tensor.Value.ByteLength);

    /// <summary>Writes the file under its own name; the caller makes the write atomic. The data is on the disk on return.</summary>
    /// <param name="path">The file; it must not exist.</param>
    /// <param name="tensors">The tensors in file order.</param>
    /// <param name="metadata">Text for <c>__metadata__</c>; the entry is left out when null.</param>
    /// <param name="progress">Gets the bytes written so far and in all.</param>
    /// <param name="inspect">Sees every tile before it is written.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    /// <returns>The file's length in bytes.</returns>
    public static long Write(
        string path,
        IReadOnlyList<PlannedTensor> tensors,
        IReadOnlyDictionary<string, string>? metadata = null,
        IProgress<ByteProgress>? progress = null,
        TileInspector? inspect = null,
        CancellationToken cancellationToken = default)
    {
        byte[] header = Header(tensors, metadata);
        long total = header.Length + tensors.Sum(tensor => tensor.Value.ByteLength);
        using SafeFileHandle handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
        using var output = new TileOutput(handle, TileBytes, total, progress, cancellationToken);
        output.Write(header);
        foreach (PlannedTensor tensor in tensors)
        {
            WriteTensor(tensor, output, inspect);
        }

        output.Complete();
        RandomAccess.FlushToDisk(handle);
        return total;
    }

    private static byte[] Header(IReadOnlyList<PlannedTensor> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata is not null)
            {
                json.WriteStartObject("__metadata__");
                foreach ((string key, string value) in metadata.OrderBy(entry => entry.Key, StringComparer.Ordinal))
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            long offset = 0;
            foreach (PlannedTensor tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.Value.DType.SafetensorsName());
                json.WriteStartArray("shape");
                foreach (long size in tensor.Value.Shape)
                {
                    json.WriteNumberValue(size);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                offset = checked(offset + tensor.Value.ByteLength);
                json.WriteNumberValue(offset);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        // Spaces at the end align the data to 8 bytes, as the reference implementation does.
        int padded = (buffer.WrittenCount + 7) & ~7;
        byte[] header = new byte[sizeof(ulong) + padded];
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)padded);
        buffer.WrittenSpan.CopyTo(header.AsSpan(sizeof(ulong)));
        header.AsSpan(sizeof(ulong) + buffer.WrittenCount).Fill((byte)' ');
        return header;
    }

    private static void WriteTensor(PlannedTensor tensor, TileOutput output, TileInspector? inspect)
    {
        TensorExpression value = tensor.Value;
        if (value.ElementCount == 0)
        {
            return;
        }

        long[] start = new long[value.Rank];
        long[] count = [.. value.Shape];
        WriteBlock(tensor, 0, start, count, output, inspect);
    }

    private static void WriteBlock(PlannedTensor tensor, int axis, long[] start, long[] count, TileOutput output, TileInspector? inspect)
    {
        TensorExpression value = tensor.Value;
        long bytes = TensorExpression.Product(count) * value.DType.ByteSize();
        if (bytes <= TileBytes || axis == value.Rank)
        {
            int length = checked((int)bytes);
            Span<byte> tile = output.Reserve(length)[..length];
            value.Read(start, count, tile);
            inspect?.Invoke(tensor, tile);
            output.Advance(length);
            return;
        }

        long perIndex = bytes / count[axis];
        long step = Math.Max(1, TileBytes / Math.Max(perIndex, 1));
        long first = start[axis];
        long end = first + count[axis];
        for (long index = first; index < end; index += step)
        {
            start[axis] = index;
            count[axis] = Math.Min(step, end - index);
            WriteBlock(tensor, axis + 1, start, count, output, inspect);
        }

        start[axis] = first;
        count[axis] = end - first;
    }
}
