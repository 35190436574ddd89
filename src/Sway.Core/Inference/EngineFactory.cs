using System.Runtime.InteropServices;
using Sway.Caching;
using Sway.Inference.Cpu;
using Sway.Inference.Mlx;

namespace Sway.Inference;

/// <summary>Makes the engine that was asked for.</summary>
internal static class EngineFactory
{
    /// <summary>Whether <see cref="BackendChoice.Auto"/> takes MLX when its library loads: on Apple silicon, where it is the faster one.</summary>
    public static bool PrefersMlx => OperatingSystem.IsMacOS() && RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    /// <summary>Makes an engine.</summary>
    /// <param name="backend">Which.</param>
    /// <param name="precision">Its arithmetic.</param>
    /// <param name="threads">Threads of the processor; 0 = one for each.</param>
    /// <exception cref="NativeLibraryException">MLX was asked for and did not load.</exception>
    /// <exception cref="ScoringException">The engine has no such arithmetic.</exception>
    public static IEngine Create(BackendChoice backend, PrecisionChoice precision, int threads)
    {
        bool mlx = backend switch
        {
            BackendChoice.Mlx => true,
            BackendChoice.Auto => PrefersMlx && MlxRuntime.TryGet(out _) is not null,
            _ => false,
        };
        if (mlx)
        {
            return new MlxEngine(
                new MlxEngineOptions
                {
                    SinglePrecision = precision == PrecisionChoice.Float32,
                    MemoryLimit = Limit(MlxEngineOptions.MemoryVariable),
                    CacheLimit = Limit(MlxEngineOptions.CacheVariable),
                },
                threads);
        }

        return precision == PrecisionChoice.Float32
            ? new CpuEngine(threads)
            : throw new ScoringException("The CPU engine computes in float32 only.") { Remedy = "Use -Precision Float32 (--precision float32), or the MLX engine." };
    }

    private static long? Limit(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? CacheSettings.ParseSize(text, variable) : null;
}
