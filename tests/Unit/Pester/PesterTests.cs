using System.Diagnostics;
using Sway.Unit.Support;

namespace Sway.Unit.Pester;

/// <summary>Runs the acceptance tests of the module, each file in a fresh pwsh, against the module that the build laid out.</summary>
public sealed class PesterTests(ITestOutputHelper output)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    public static TheoryData<string> Files =>
        [.. Directory.GetFiles(Folder, "*.Tests.ps1").Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    private static string Folder => Path.Combine(Repository.Root, "tests", "Pester");

    [Theory]
    [MemberData(nameof(Files))]
    public async Task Acceptance(string file)
    {
        string? pwsh = PowerShellHost.Find();
        Assert.SkipWhen(pwsh is null, "pwsh is neither on PATH nor named by SWAY_PWSH");
        ProcessStartInfo start = new(pwsh!)
        {
            ArgumentList = { "-NoProfile", "-NonInteractive", "-File", Path.Combine(Folder, "Invoke-Tests.ps1"), Path.Combine(Folder, file) },
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Repository.Root,
        };
        using Process process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(s_limit);
        Task<string> errors = process.StandardError.ReadToEndAsync(limit.Token);
        string text = await process.StandardOutput.ReadToEndAsync(limit.Token);
        await process.WaitForExitAsync(limit.Token);
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.SkipWhen(lines.Contains("NOPESTER"), "Pester 5 is not installed for this pwsh");
        output.WriteLine(lines.LastOrDefault(line => line.StartsWith("COUNT", StringComparison.Ordinal)) ?? "no result");

        string failures = string.Join('\n', lines.Where(line => line.StartsWith("FAIL", StringComparison.Ordinal)));
        failures.ShouldBeEmpty();
        process.ExitCode.ShouldBe(0, $"{text}\n{await errors}");
        lines.ShouldContain(line => line.StartsWith("PASS", StringComparison.Ordinal));
    }
}
