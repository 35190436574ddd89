using Microsoft.Win32.SafeHandles;

namespace Sway.Tensors.Torch;

/// <summary>A file read at positions, so that one which shrinks gives an error and not the end of the process.</summary>
internal sealed class PositionalFile : IDisposable
{
    private readonly SafeFileHandle _handle;

    private PositionalFile(string path, SafeFileHandle handle)
    {
        Path = path;
        _handle = handle;
        Length = RandomAccess.GetLength(handle);
    }

    public string Path { get; }

    public long Length { get; }

    public static PositionalFile Open(string path)
    {
        SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        try
        {
            return new PositionalFile(path, handle);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Fills <paramref name="destination"/> or throws.</summary>
    public void ReadExactly(long offset, Span<byte> destination, string? tensor = null)
    {
        while (!destination.IsEmpty)
        {
            int read = RandomAccess.Read(_handle, destination, offset);
            if (read == 0)
            {
                throw new AdapterFormatException($"{Path} ends before byte {offset + destination.Length}.")
                {
                    Path = Path,
                    Offset = offset,
                    Tensors = tensor is null ? [] : [tensor],
                };
            }

            offset += read;
            destination = destination[read..];
        }
    }

    /// <summary>An error about this file's bytes.</summary>
    public AdapterFormatException Damaged(string what, long? offset = null, string? tensor = null) =>
        new($"{Path}: {what}")
        {
            Path = Path,
            Offset = offset,
            Tensors = tensor is null ? [] : [tensor],
        };

    public void Dispose() => _handle.Dispose();
}
