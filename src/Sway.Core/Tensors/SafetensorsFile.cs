using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace Sway.Tensors;

/// <summary>
/// One safetensors file read at positions: only the header is read on opening, and a file that is truncated later
/// gives an error instead of the end of the process that a mapping would.
/// </summary>
public sealed class SafetensorsFile : TensorFile
{
    private readonly SafeFileHandle _handle;
    private readonly SafetensorsHeader _header;

    private SafetensorsFile(string path, SafeFileHandle handle, SafetensorsHeader header, long length)
    {
        Path = path;
        _handle = handle;
        _header = header;
        FileLength = length;
    }

    /// <inheritdoc/>
    public override string Path { get; }

    /// <inheritdoc/>
    public override long FileLength { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<TensorInfo> Tensors => _header.Tensors;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Metadata => _header.Metadata;

    /// <summary>Opens a file and reads its header.</summary>
    /// <exception cref="AdapterFormatException">The header is not valid, or does not fit the file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SafetensorsFile Open(string path)
    {
        SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        try
        {
            (SafetensorsHeader header, long length) = ReadHeader(handle, path);
            return new SafetensorsFile(path, handle, header, length);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override TensorExpression Get(TensorInfo tensor) => TensorView.OfSizes(new Source(this, tensor), tensor.DType, tensor.SharedSizes);

    /// <summary>Copies bytes of the file.</summary>
    /// <exception cref="AdapterFormatException">The file has become shorter since it was opened.</exception>
    public void ReadAt(long offset, Span<byte> destination, string tensorName) =>
        ReadExactly(_handle, offset, destination, Path, tensorName);

    internal static (SafetensorsHeader Header, long Length) ReadHeader(SafeFileHandle handle, string path)
    {
        long length = RandomAccess.GetLength(handle);
        Span<byte> prefix = stackalloc byte[sizeof(ulong)];
        if (length >= sizeof(ulong))
        {
            ReadExactly(handle, 0, prefix, path, null);
        }

        int headerLength = SafetensorsHeader.ReadLength(prefix, length, path);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Max(headerLength, 1));
        try
        {
            ReadExactly(handle, sizeof(ulong), buffer.AsSpan(0, headerLength), path, null);
            return (SafetensorsHeader.Parse(buffer.AsSpan(0, headerLength), length, path), length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _handle.Dispose();
        }

        base.Dispose(disposing);
    }

    private static void ReadExactly(SafeFileHandle handle, long offset, Span<byte> destination, string path, string? tensor)
    {
        while (!destination.IsEmpty)
        {
            int read = RandomAccess.Read(handle, destination, offset);
            if (read == 0)
            {
                throw new AdapterFormatException($"{path} became shorter while it was read.")
                {
                    Path = path,
                    Offset = offset,
                    Tensors = tensor is null ? [] : [tensor],
                };
            }

            offset += read;
            destination = destination[read..];
        }
    }

    private sealed class Source(SafetensorsFile file, TensorInfo tensor) : ITensorSource
    {
        public string Name => tensor.Name;

        public void Read(long byteOffset, Span<byte> destination) =>
            file.ReadAt(tensor.Offset + byteOffset, destination, tensor.Name);
    }
}
