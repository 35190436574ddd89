using System.Diagnostics;

namespace Sway.Unit.Support;

/// <summary>The command as a process of its own.</summary>
internal static class SwayProcess
{
    /// <summary>Starts it with a cache of its own.</summary>
    public static Process Start(string cache, params string[] args) => StartWith(cache, null, args);

    /// <summary>Runs it to its end with a variable of the environment, <c>name=value</c>.</summary>
    public static (int Code, string Output, string Error) RunWith(string cache, string? variable, params string[] args)
    {
        using Process process = StartWith(cache, variable, args);
        return Finish(process);
    }

    private static Process StartWith(string cache, string? variable, string[] args)
    {
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "sway.dll"));
        foreach (string arg in args)
        {
            start.ArgumentList.Add(arg);
        }

        start.Environment["SWAY_CACHE_DIR"] = cache;

        // A killed process would leave its pipes for debuggers behind.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        if (variable?.Split('=') is [var name, var value])
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    /// <summary>Runs it to its end.</summary>
    public static (int Code, string Output, string Error) Run(string cache, params string[] args)
    {
        using Process process = Start(cache, args);
        return Finish(process);
    }

    /// <summary>Runs it until a moment and kills it then; the time that it took, or null where it was killed.</summary>
    public static TimeSpan? RunUntil(string cache, TimeSpan moment, params string[] args)
    {
        long started = Stopwatch.GetTimestamp();
        using Process process = Start(cache, args);
        TimeSpan? took = process.WaitForExit(moment) ? Stopwatch.GetElapsedTime(started) : null;
        process.Kill();
        process.WaitForExit();
        return took;
    }

    /// <summary>Waits for the end and gives what was written.</summary>
    public static (int Code, string Output, string Error) Finish(Process process)
    {
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }
}
