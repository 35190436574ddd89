namespace Sway.Unit.Support;

/// <summary>Finds a PowerShell 7 to run acceptance tests in.</summary>
internal static class PowerShellHost
{
    /// <summary>The executable that SWAY_PWSH names, or the first pwsh on PATH; null when there is none.</summary>
    public static string? Find()
    {
        string? named = Environment.GetEnvironmentVariable("SWAY_PWSH");
        if (!string.IsNullOrEmpty(named))
        {
            return File.Exists(named) ? named : null;
        }

        string file = OperatingSystem.IsWindows() ? "pwsh.exe" : "pwsh";
        return (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, file))
            .FirstOrDefault(File.Exists);
    }
}
