using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Sway.Tensors.Torch;

/// <summary>One stored record: where its bytes lie in the file.</summary>
internal readonly record struct ZipRecord(long Offset, long Length);

/// <summary>
/// The records of one zip archive that <c>torch.save</c> wrote, which may be a part of a larger file. System.IO.Compression
/// gives streams and no positions; tensors are read at positions, so the directory is read here. Only stored entries count:
/// torch never compresses, and a compressed one would let a small file fill the memory. Format: PKWARE APPNOTE 4.3.
/// </summary>
internal sealed class ZipRecords
{
    private const uint EndSignature = 0x06054b50;
    private const uint Zip64LocatorSignature = 0x07064b50;
    private const uint Zip64EndSignature = 0x06064b50;
    private const uint DirectorySignature = 0x02014b50;
    private const uint LocalSignature = 0x04034b50;
    private const int EndLength = 22;
    private const int DirectoryEntryLength = 46;
    private const int LocalHeaderLength = 30;
    private const int MaximumDirectory = 64 << 20;

    private readonly PositionalFile _file;
    private readonly long _start;
    private readonly long _end;
    private readonly Dictionary<string, (long Header, long Length, int Method)> _entries = new(StringComparer.Ordinal);

    private ZipRecords(PositionalFile file, long start, long length)
    {
        _file = file;
        _start = start;
        _end = start + length;
    }

    /// <summary>Reads the directory of the archive at <c>[start, start + length)</c> of a file.</summary>
    public static ZipRecords Read(PositionalFile file, long start, long length)
    {
        if (start < 0 || length < EndLength || start > file.Length - length)
        {
            throw file.Damaged($"no archive of {length} bytes can lie at byte {start} of {file.Length}", start);
        }

        var records = new ZipRecords(file, start, length);
        records.ReadDirectory();
        return records;
    }

    /// <summary>The folder that all entries lie in, without a slash.</summary>
    public string Root { get; private set; } = "";

    /// <summary>Finds an entry under <see cref="Root"/>, checks its local header and gives the place of its bytes.</summary>
    public ZipRecord? Find(string name)
    {
        if (!_entries.TryGetValue($"{Root}/{name}", out (long Header, long Length, int Method) entry))
        {
            return null;
        }

        if (entry.Method != 0)
        {
            throw _file.Damaged($"the record {name} is compressed, which torch never does", entry.Header);
        }

        Span<byte> header = stackalloc byte[LocalHeaderLength];
        CheckInside(entry.Header, LocalHeaderLength);
        _file.ReadExactly(entry.Header, header);
        if (BinaryPrimitives.ReadUInt32LittleEndian(header) != LocalSignature)
        {
            throw _file.Damaged($"the record {name} does not lie where the directory says", entry.Header);
        }

        // Sizes and CRC are zero here when a data descriptor follows the data, as torch writes it.
        long data = entry.Header + LocalHeaderLength
            + BinaryPrimitives.ReadUInt16LittleEndian(header[26..]) + BinaryPrimitives.ReadUInt16LittleEndian(header[28..]);
        CheckInside(data, entry.Length);
        return new ZipRecord(data, entry.Length);
    }

    /// <summary>Reads a small record as text; null when it is absent.</summary>
    public string? FindText(string name)
    {
        if (Find(name) is not { } record)
        {
            return null;
        }

        if (record.Length > 256)
        {
            throw _file.Damaged($"the record {name} has {record.Length} bytes", record.Offset);
        }

        byte[] bytes = new byte[record.Length];
        _file.ReadExactly(record.Offset, bytes);
        return Encoding.Latin1.GetString(bytes).Trim();
    }

    private void ReadDirectory()
    {
        (long offset, long length, long count) = FindDirectory();
        if (length > MaximumDirectory)
        {
            throw _file.Damaged($"the zip directory has {length} bytes", offset);
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Max(length, 1));
        try
        {
            Span<byte> directory = buffer.AsSpan(0, (int)length);
            _file.ReadExactly(offset, directory);
            while (!directory.IsEmpty)
            {
                int used = AddEntry(directory, offset);
                directory = directory[used..];
                offset += used;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        if (_entries.Count != count)
        {
            throw _file.Damaged($"the zip directory lists {_entries.Count} entries and announces {count}", offset);
        }
    }

    private int AddEntry(ReadOnlySpan<byte> directory, long position)
    {
        if (directory.Length < DirectoryEntryLength || BinaryPrimitives.ReadUInt32LittleEndian(directory) != DirectorySignature)
        {
            throw _file.Damaged("the zip directory is damaged", position);
        }

        int flags = BinaryPrimitives.ReadUInt16LittleEndian(directory[8..]);
        int method = BinaryPrimitives.ReadUInt16LittleEndian(directory[10..]);
        long stored = BinaryPrimitives.ReadUInt32LittleEndian(directory[20..]);
        long size = BinaryPrimitives.ReadUInt32LittleEndian(directory[24..]);
        int nameLength = BinaryPrimitives.ReadUInt16LittleEndian(directory[28..]);
        int extraLength = BinaryPrimitives.ReadUInt16LittleEndian(directory[30..]);
        int commentLength = BinaryPrimitives.ReadUInt16LittleEndian(directory[32..]);
        long header = BinaryPrimitives.ReadUInt32LittleEndian(directory[42..]);
        int used = DirectoryEntryLength + nameLength + extraLength + commentLength;
        if (used > directory.Length)
        {
            throw _file.Damaged("the zip directory is cut off", position);
        }

        string name = Encoding.UTF8.GetString(directory.Slice(DirectoryEntryLength, nameLength));
        Widen(directory.Slice(DirectoryEntryLength + nameLength, extraLength), ref size, ref stored, ref header, position);
        if ((flags & 1) != 0 || (method == 0 && stored != size))
        {
            throw _file.Damaged($"the zip entry {name} is encrypted or of two sizes", position);
        }

        int slash = name.IndexOf('/', StringComparison.Ordinal);
        if (_entries.Count == 0)
        {
            Root = slash > 0 ? name[..slash] : throw _file.Damaged("the archive has no root folder, so torch did not write it", position);
        }

        if (slash != Root.Length || !name.StartsWith(Root, StringComparison.Ordinal) || name.Split('/').Contains("..", StringComparer.Ordinal))
        {
            throw _file.Damaged($"the zip entry {name} lies outside the archive's root {Root}", position);
        }

        if (header > _end - _start || !_entries.TryAdd(name, (_start + header, size, method)))
        {
            throw _file.Damaged($"the zip entry {name} occurs twice or lies outside the archive", position);
        }

        return used;
    }

    // The zip64 extra field holds, in this order, only the values that did not fit into 32 bits.
    private void Widen(ReadOnlySpan<byte> extra, ref long size, ref long stored, ref long header, long position)
    {
        while (extra.Length >= 4)
        {
            int id = BinaryPrimitives.ReadUInt16LittleEndian(extra);
            int length = BinaryPrimitives.ReadUInt16LittleEndian(extra[2..]);
            if (length > extra.Length - 4)
            {
                break;
            }

            if (id == 1)
            {
                ReadOnlySpan<byte> field = extra.Slice(4, length);
                size = Next(size, ref field);
                stored = Next(stored, ref field);
                header = Next(header, ref field);
            }

            extra = extra[(4 + length)..];
        }

        if (size < 0 || stored < 0 || header < 0)
        {
            throw _file.Damaged("the zip directory holds a negative size", position);
        }

        static long Next(long value, ref ReadOnlySpan<byte> field)
        {
            if (value != uint.MaxValue || field.Length < 8)
            {
                return value;
            }

            value = BinaryPrimitives.ReadInt64LittleEndian(field);
            field = field[8..];
            return value;
        }
    }

    private (long Offset, long Length, long Count) FindDirectory()
    {
        int tailLength = (int)Math.Min(_end - _start, EndLength + ushort.MaxValue);
        byte[] tail = new byte[tailLength];
        _file.ReadExactly(_end - tailLength, tail);
        for (int i = tailLength - EndLength; i >= 0; i--)
        {
            ReadOnlySpan<byte> end = tail.AsSpan(i);
            if (BinaryPrimitives.ReadUInt32LittleEndian(end) != EndSignature
                || i + EndLength + BinaryPrimitives.ReadUInt16LittleEndian(end[20..]) != tailLength)
            {
                continue;
            }

            long count = BinaryPrimitives.ReadUInt16LittleEndian(end[10..]);
            long length = BinaryPrimitives.ReadUInt32LittleEndian(end[12..]);
            long offset = BinaryPrimitives.ReadUInt32LittleEndian(end[16..]);
            if (count == ushort.MaxValue || length == uint.MaxValue || offset == uint.MaxValue)
            {
                (offset, length, count) = ReadZip64End(_end - tailLength + i);
            }

            if (offset < 0 || length < 0 || offset > _end - _start - length)
            {
                throw _file.Damaged("the zip directory lies outside the archive", _end - tailLength + i);
            }

            return (_start + offset, length, count);
        }

        throw _file.Damaged("the archive has no end: it is cut off, or no file of torch", _start);
    }

    private (long Offset, long Length, long Count) ReadZip64End(long end)
    {
        Span<byte> locator = stackalloc byte[20];
        Span<byte> record = stackalloc byte[56];
        CheckInside(end - locator.Length, locator.Length);
        _file.ReadExactly(end - locator.Length, locator);
        long position = BinaryPrimitives.ReadInt64LittleEndian(locator[8..]);
        if (BinaryPrimitives.ReadUInt32LittleEndian(locator) != Zip64LocatorSignature || position < 0 || position > _end - _start)
        {
            throw _file.Damaged("the archive's end names no directory", end);
        }

        CheckInside(_start + position, record.Length);
        _file.ReadExactly(_start + position, record);
        return BinaryPrimitives.ReadUInt32LittleEndian(record) == Zip64EndSignature
            ? (BinaryPrimitives.ReadInt64LittleEndian(record[48..]), BinaryPrimitives.ReadInt64LittleEndian(record[40..]),
                BinaryPrimitives.ReadInt64LittleEndian(record[32..]))
            : throw _file.Damaged("the archive's zip64 end is damaged", _start + position);
    }

    private void CheckInside(long offset, long length)
    {
        if (offset < _start || length < 0 || length > _end - _start || offset > _end - length)
        {
            throw _file.Damaged($"the archive refers to bytes outside it ({length} at {offset})", offset);
        }
    }
}
