using System.Globalization;
using System.Numerics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Sway.Caching;
using Sway.Conversion;
using Sway.Inference.Diagnostics;

namespace Sway.Cli.Diagnostics;

/// <summary>One thing that was looked at.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Ok">False when something will not work.</param>
/// <param name="Detail">What was found, and what to do about it.</param>
internal sealed record DoctorFinding(string Name, bool Ok, string Detail);

/// <summary>Looks at everything outside Sway that its results and speed depend on.</summary>
internal static class Doctor
{
    /// <summary>Looks without changing anything but a temporary file.</summary>
    internal static IEnumerable<DoctorFinding> Examine()
    {
        yield return new("Sway", true, Version());
        yield return new("Runtime", true, $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier}");
        yield return new("System", true, RuntimeInformation.OSDescription);
        yield return new("Processor", Vector.IsHardwareAccelerated, Processor());
        yield return new("Memory", true, Output.Format.Bytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes) + " available to this process");
        foreach (SwayBackend backend in SwayBackends.List())
        {
            yield return Engine(backend);
        }

        yield return Temporary();
        yield return Cache();
        yield return HuggingFaceCache();
    }

    /// <summary>Converts a made-up adapter, verifies the result and removes both.</summary>
    internal static DoctorFinding SelfTest(CancellationToken cancellationToken)
    {
        using var folder = new TemporaryFolder();
        try
        {
            string source = TinyAdapter.Write(folder.Path);
            AdapterConversionResult result = AdapterConverter.Convert(
                source,
                Path.Combine(folder.Path, "converted"),
                new ConversionOptions { NoBaseLookup = true, Verify = true },
                cancellationToken: cancellationToken);
            bool exact = result.VerifiedDifference == 0;
            return new("Self-test", exact, "converted a tiny adapter: " + Output.ConversionReport.Verdict(result.VerifiedDifference ?? double.NaN));
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            return new("Self-test", false, exception.Message);
        }
    }

    /// <summary>Compares the MLX engine with the managed one on made-up models; one finding where there is no MLX.</summary>
    internal static IEnumerable<DoctorFinding> CompareEngines(CancellationToken cancellationToken)
    {
        if (!SwayBackends.List().Any(backend => backend is { Name: "Mlx", IsAvailable: true }))
        {
            return [new("MLX self-test", true, "left out: the MLX engine is not there")];
        }

        try
        {
            using var folder = new TemporaryFolder();
            return
            [
                .. EngineSelfTest.CompareMlx(folder.Path, cancellationToken).Select(one => new DoctorFinding(
                    "MLX self-test", one.Agrees, string.Create(CultureInfo.InvariantCulture, $"{one.Name}: largest difference from the CPU engine {one.Difference:0.0e+0} nats, {one.Seconds * 1000:0} ms"))),
            ];
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            return [new("MLX self-test", false, exception.Message)];
        }
    }

    private static DoctorFinding Engine(SwayBackend backend) => new(
        backend.Name == "Cpu" ? "CPU engine" : "MLX engine",
        backend.IsAvailable || !backend.IsDefault,
        backend.IsAvailable
            ? $"{backend.Version}, {backend.Device}{(backend.Library is null ? "" : ", " + backend.Library)}{(backend.IsDefault ? "; --backend auto takes it" : "")}"
            : $"not there (only --backend mlx needs it). {backend.Problem}");

    private static DoctorFinding Cache()
    {
        try
        {
            CacheStore store = CacheStore.Open();
            IReadOnlyList<SwayCacheEntry> entries = new CacheManager(store).List();
            return new("Cache", true, string.Create(
                CultureInfo.InvariantCulture,
                $"{entries.Count} entries, {Output.Format.Bytes(entries.Sum(entry => entry.SizeBytes))} of {Output.Format.Bytes(store.Settings.MaximumBytes)}, in {store.Root}"));
        }
        catch (Exception exception) when (exception is SwayException or IOException or UnauthorizedAccessException)
        {
            return new("Cache", false, exception.Message);
        }
    }

    private static string Version() =>
        typeof(AdapterConverter).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    private static string Processor()
    {
        string[] sets =
        [
            .. Present(Vector512.IsHardwareAccelerated, "Vector512"),
            .. Present(Avx512F.IsSupported, "AVX-512"),
            .. Present(Avx2.IsSupported, "AVX2"),
            .. Present(Fma.IsSupported, "FMA"),
            .. Present(AdvSimd.IsSupported, "NEON"),
            .. Present(Dp.IsSupported, "dot product"),
        ];
        string vectors = sets.Length == 0 ? "no vector instructions: slow" : string.Join(", ", sets);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{RuntimeInformation.ProcessArchitecture}, {Environment.ProcessorCount} logical processors, {vectors}");
    }

    private static string[] Present(bool supported, string name) => supported ? [name] : [];

    private static DoctorFinding Temporary()
    {
        try
        {
            using var folder = new TemporaryFolder();
            File.WriteAllText(Path.Combine(folder.Path, "probe"), "probe");
            return new("Temporary files", true, Path.GetTempPath());
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return new("Temporary files", false, $"{Path.GetTempPath()} cannot be written: {exception.Message}");
        }
    }

    private static DoctorFinding HuggingFaceCache()
    {
        string? hub = Environment.GetEnvironmentVariable("HF_HUB_CACHE");
        string? home = Environment.GetEnvironmentVariable("HF_HOME");
        string user = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        string folder = !string.IsNullOrEmpty(hub) ? hub
            : !string.IsNullOrEmpty(home) ? Path.Combine(home, "hub")
            : Path.Combine(user, ".cache", "huggingface", "hub");
        if (!Directory.Exists(folder))
        {
            return new("Base models", true, $"no Hugging Face cache at {folder}; name base models with --base");
        }

        int models = Directory.EnumerateDirectories(folder, "models--*").Count();
        return new("Base models", true, string.Create(CultureInfo.InvariantCulture, $"{models} in {folder}"));
    }
}
