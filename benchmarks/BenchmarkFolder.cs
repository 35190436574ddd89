using System.Runtime.InteropServices;

namespace Sway.Benchmarks;

/// <summary>A new folder for a benchmark's files, removed with them also when the benchmark is stopped.</summary>
internal sealed class BenchmarkFolder : IDisposable
{
    private readonly Lock _deleting = new();
    private readonly PosixSignalRegistration[] _signals;

    /// <summary>Makes the folder.</summary>
    /// <param name="parent">Where, for a disk that is to be measured; null for the system's temporary folder.</param>
    public BenchmarkFolder(string? parent = null)
    {
        Path = parent is null
            ? Directory.CreateTempSubdirectory("sway-bench-").FullName
            : Directory.CreateDirectory(System.IO.Path.Combine(parent, $"sway-bench-{Environment.ProcessId}")).FullName;
        _signals =
        [
            .. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM }.Select(signal => PosixSignalRegistration.Create(signal, _ => Delete())),
        ];
    }

    /// <summary>Its path.</summary>
    public string Path { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (PosixSignalRegistration signal in _signals)
        {
            signal.Dispose();
        }

        Delete();
    }

    // A signal that also ends a child process has the benchmark end by itself meanwhile: both come here at once.
    private void Delete()
    {
        lock (_deleting)
        {
            if (Directory.Exists(Path))
            {
                Directory.Delete(Path, recursive: true);
            }
        }
    }
}
