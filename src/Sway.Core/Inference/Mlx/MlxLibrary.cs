using System.Runtime.InteropServices;

namespace Sway.Inference.Mlx;

/// <summary>One place where the native library was looked for.</summary>
/// <param name="Path">The file, or a bare name that the system's loader resolves.</param>
/// <param name="Origin">Why it was looked at.</param>
/// <param name="Outcome">Loaded, or why not: absent, or the loader's words.</param>
public sealed record NativeLibraryAttempt(string Path, string Origin, string Outcome);

/// <summary>Finds and loads mlx-c, once and only when something needs it.</summary>
internal sealed class MlxLibrary
{
    /// <summary>The environment variable that names the library's file or its folder; then nowhere else is looked.</summary>
    public const string PathVariable = "SWAY_NATIVE_LIBRARY";

    private MlxLibrary(nint handle, string path)
    {
        Handle = handle;
        Path = path;
    }

    /// <summary>The loaded library.</summary>
    public nint Handle { get; }

    /// <summary>The file or name that was loaded.</summary>
    public string Path { get; }

    private static string FileName => OperatingSystem.IsWindows() ? "mlxc.dll" : OperatingSystem.IsMacOS() ? "libmlxc.dylib" : "libmlxc.so";

    /// <summary>Tries every place in order.</summary>
    /// <param name="attempts">Receives every place that was tried, the one that served included.</param>
    /// <returns>The library, or null when no place had it.</returns>
    public static MlxLibrary? TryLoad(List<NativeLibraryAttempt> attempts)
    {
        foreach ((string path, string origin) in Candidates())
        {
            string outcome = Try(path, out nint handle);
            attempts.Add(new NativeLibraryAttempt(path, origin, outcome));
            if (handle != 0)
            {
                return new MlxLibrary(handle, path);
            }
        }

        return null;
    }

    /// <summary>One error with every place and what was wrong there.</summary>
    public static NativeLibraryException Missing(IReadOnlyList<NativeLibraryAttempt> attempts)
    {
        string tried = string.Join("; ", attempts.Select(attempt => $"{attempt.Path} ({attempt.Origin}): {attempt.Outcome}"));
        return new NativeLibraryException($"The MLX engine needs the native library mlx-c, which did not load. Tried {tried}.")
        {
            Remedy = OperatingSystem.IsMacOS()
                ? $"Run brew install mlx-c, or name the library with {PathVariable}, or use the CPU engine (-Backend Cpu, --backend cpu)."
                : $"Name the library with {PathVariable}, or use the CPU engine (-Backend Cpu, --backend cpu).",
        };
    }

    private static IEnumerable<(string Path, string Origin)> Candidates()
    {
        if (Environment.GetEnvironmentVariable(PathVariable) is { Length: > 0 } named)
        {
            string full = System.IO.Path.GetFullPath(named);
            yield return (Directory.Exists(full) ? System.IO.Path.Combine(full, FileName) : full, PathVariable);
            yield break;
        }

        string? home = System.IO.Path.GetDirectoryName(typeof(MlxLibrary).Assembly.Location);
        if (!string.IsNullOrEmpty(home))
        {
            yield return (System.IO.Path.Combine(home, "runtimes", RuntimeInformation.RuntimeIdentifier, "native", FileName), "beside Sway");
        }

        if (!OperatingSystem.IsWindows())
        {
            yield return (System.IO.Path.Combine("/opt/homebrew/lib", FileName), "Homebrew");
            yield return (System.IO.Path.Combine("/usr/local/lib", FileName), "well-known place");
        }

        yield return (FileName, "the system's loader");
    }

    private static string Try(string path, out nint handle)
    {
        handle = 0;
        bool isFile = System.IO.Path.IsPathFullyQualified(path);
        if (isFile && !File.Exists(path))
        {
            return "absent";
        }

        try
        {
            handle = isFile ? NativeLibrary.Load(path) : NativeLibrary.Load(path, typeof(MlxLibrary).Assembly, DllImportSearchPath.SafeDirectories);
        }
        catch (DllNotFoundException) when (!isFile)
        {
            // The runtime's message lists every spelling that it tried of the name, and advice for its own developers.
            return "not found";
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            return e.Message.ReplaceLineEndings(" ").Trim();
        }

        foreach (string name in MlxNative.Required)
        {
            if (!NativeLibrary.TryGetExport(handle, name, out _))
            {
                NativeLibrary.Free(handle);
                handle = 0;
                return $"it has no function {name}, so it is of a version of mlx-c that Sway does not know";
            }
        }

        return "loaded";
    }
}
