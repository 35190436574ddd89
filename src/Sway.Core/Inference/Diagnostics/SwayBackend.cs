using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using Sway.Inference.Cpu;
using Sway.Inference.Mlx;

namespace Sway.Inference.Diagnostics;

/// <summary>An engine and whether this machine has it. The names are those of the cmdlet's output and, in camelCase, of the command's JSON.</summary>
public sealed record SwayBackend
{
    /// <summary>Cpu or Mlx, as <c>-Backend</c> takes it.</summary>
    public required string Name { get; init; }

    /// <summary>Whether it can be used.</summary>
    public required bool IsAvailable { get; init; }

    /// <summary>Whether <c>Auto</c> takes it.</summary>
    public required bool IsDefault { get; init; }

    /// <summary>Its version: Sway's for the managed engine, MLX's for MLX; null where it is absent.</summary>
    public string? Version { get; init; }

    /// <summary>What computes; null where it is absent.</summary>
    public string? Device { get; init; }

    /// <summary>The native library that was loaded, or null.</summary>
    public string? Library { get; init; }

    /// <summary>Why it cannot be used and what to do about it, or null.</summary>
    public string? Problem { get; init; }

    /// <summary>Every place where its native library was looked for.</summary>
    public required IReadOnlyList<NativeLibraryAttempt> Attempts { get; init; }
}

/// <summary>Looks what engines there are.</summary>
public static class SwayBackends
{
    /// <summary>All engines. Loads the native library where it is found.</summary>
    public static IReadOnlyList<SwayBackend> List()
    {
        MlxRuntime? runtime = MlxRuntime.TryGet(out IReadOnlyList<NativeLibraryAttempt> attempts);
        bool mlxIsDefault = runtime is not null && EngineFactory.PrefersMlx;
        NativeLibraryException? missing = runtime is null ? MlxLibrary.Missing(attempts) : null;
        string version = typeof(SwayBackends).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
        return
        [
            new SwayBackend
            {
                Name = "Cpu",
                IsAvailable = true,
                IsDefault = !mlxIsDefault,
                Version = version,
                Device = string.Create(
                    CultureInfo.InvariantCulture,
                    $"{RuntimeInformation.ProcessArchitecture}, {Environment.ProcessorCount} processors, {GemmKernel.Best.GetType().Name.Replace("GemmKernel", "Vector", StringComparison.Ordinal)}"),
                Attempts = [],
            },
            new SwayBackend
            {
                Name = "Mlx",
                IsAvailable = runtime is not null,
                IsDefault = mlxIsDefault,
                Version = runtime?.Version,
                Device = runtime?.Device,
                Library = runtime?.Library.Path,
                Problem = missing is null ? null : $"{missing.Message} {missing.Remedy}",
                Attempts = attempts,
            },
        ];
    }
}
