using System.IO.Compression;
using Sway.Tensors;

namespace Sway.Adapters.Mlx;

/// <summary>
/// A NumPy archive (.npz), the tensor file of mlx-lm before March 2024: a zip file of .npy arrays. The arrays of an
/// adapter are small, so each is read as a whole when it is first asked for; compressed entries are read too.
/// </summary>
public sealed class NpzFile : TensorFile
{
    private const long MaximumArrayLength = 1L << 31;

    private readonly ZipArchive _archive;
    private readonly FileStream _stream;
    private readonly Dictionary<string, Entry> _entries;
    private readonly Lock _lock = new();

    private NpzFile(string path, FileStream stream, ZipArchive archive, Dictionary<string, Entry> entries, List<TensorInfo> tensors)
    {
        Path = path;
        _stream = stream;
        _archive = archive;
        _entries = entries;
        Tensors = tensors;
        FileLength = stream.Length;
    }

    /// <inheritdoc/>
    public override string Path { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<TensorInfo> Tensors { get; }

    /// <inheritdoc/>
    public override long FileLength { get; }

    /// <summary>Opens an archive and reads the header of every array.</summary>
    /// <exception cref="AdapterFormatException">The file is not a zip archive of arrays.</exception>
    public static NpzFile Open(string path)
    {
        FileStream stream = File.OpenRead(path);
        ZipArchive? archive = null;
        try
        {
            archive = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
            var entries = new Dictionary<string, Entry>(StringComparer.Ordinal);
            var tensors = new List<TensorInfo>();
            foreach (ZipArchiveEntry item in archive.Entries)
            {
                string name = item.FullName.EndsWith(".npy", StringComparison.Ordinal) ? item.FullName[..^4] : item.FullName;
                NpyHeader header = ReadHeader(item, path, name);
                var info = new TensorInfo(name, header.DType, header.Shape, 0, item.Length - header.Length);
                if (info.ElementCount * header.DType.ByteSize() != info.ByteLength)
                {
                    throw NpyHeader.Bad(path, name, $"{info.ByteLength} bytes do not fill the shape {info.ShapeText}");
                }

                if (!entries.TryAdd(name, new Entry(item, header)))
                {
                    throw NpyHeader.Bad(path, name, "the archive holds it twice");
                }

                tensors.Add(info);
            }

            return new NpzFile(path, stream, archive, entries, tensors);
        }
        catch (Exception e)
        {
            archive?.Dispose();
            stream.Dispose();
            if (e is InvalidDataException or EndOfStreamException or OverflowException)
            {
                throw new AdapterFormatException($"{path} is not a readable NumPy archive: {e.Message}", e) { Path = path };
            }

            throw;
        }
    }

    /// <inheritdoc/>
    public override TensorExpression Get(TensorInfo tensor) =>
        new TensorView(new Source(this, tensor.Name), tensor.DType, tensor.Shape);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _archive.Dispose();
            _stream.Dispose();
        }

        base.Dispose(disposing);
    }

    private static NpyHeader ReadHeader(ZipArchiveEntry item, string path, string name)
    {
        if (item.Length > MaximumArrayLength)
        {
            throw NpyHeader.Bad(path, name, "it is larger than any adapter's array");
        }

        using Stream content = item.Open();
        byte[] prefix = new byte[NpyHeader.PrefixLength];
        int read = content.ReadAtLeast(prefix, prefix.Length, throwOnEndOfStream: false);
        int length = NpyHeader.ReadLength(prefix.AsSpan(0, read), path, name);
        byte[] header = new byte[Math.Max(length, prefix.Length)];
        prefix.CopyTo(header, 0);
        content.ReadExactly(header.AsSpan(prefix.Length));
        return NpyHeader.Parse(header.AsSpan(0, length), path, name);
    }

    private byte[] ReadArray(string name)
    {
        (ZipArchiveEntry item, NpyHeader header) = _entries[name];
        lock (_lock)
        {
            try
            {
                using Stream content = item.Open();
                byte[] all = new byte[checked((int)item.Length)];
                content.ReadExactly(all);
                return all[header.Length..];
            }
            catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
            {
                throw NpyHeader.Bad(Path, name, e.Message);
            }
        }
    }

    private sealed record Entry(ZipArchiveEntry Item, NpyHeader Header);

    private sealed class Source(NpzFile file, string name) : ITensorSource
    {
        private readonly Lazy<byte[]> _bytes = new(() => file.ReadArray(name));

        public string Name => name;

        public void Read(long byteOffset, Span<byte> destination) =>
            _bytes.Value.AsSpan(checked((int)byteOffset), destination.Length).CopyTo(destination);
    }
}
