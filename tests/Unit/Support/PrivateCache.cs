using System.Runtime.CompilerServices;

namespace Sway.Unit.Support;

/// <summary>Gives the test process, and all that it starts, a cache of its own that goes with it.</summary>
internal static class PrivateCache
{
#pragma warning disable CA2255 // The one place that runs before any test, whichever runner starts it.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Set()
    {
        string folder = Directory.CreateTempSubdirectory("sway-test-cache-").FullName;
        Environment.SetEnvironmentVariable("SWAY_CACHE_DIR", folder);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
    }
}
