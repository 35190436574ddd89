using System.Diagnostics;
using System.Text.Json;
using Sway.Unit.Scoring;
using Sway.Unit.Support;

namespace Sway.Unit.Inference;

public sealed class NativeLibraryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_library_that_is_named_and_absent_is_one_error_with_its_path_and_the_remedy()
    {
        (int code, string output, string error) = Score(_folder.File("no-such.so"), "--backend", "mlx");
        code.ShouldBe(1);
        JsonElement problem = JsonDocument.Parse(output).RootElement.GetProperty("error");
        problem.GetProperty("category").GetString().ShouldBe("NativeLibrary");
        problem.GetProperty("message").GetString()!.ShouldContain($"{_folder.File("no-such.so")} (SWAY_NATIVE_LIBRARY): absent");
        problem.GetProperty("remedy").GetString()!.ShouldContain("--backend cpu");
        error.Trim().ShouldNotContain("\n");
    }

    [Fact]
    public void A_file_that_is_no_library_gives_the_loaders_words()
    {
        string file = _folder.File("libmlxc.so");
        File.WriteAllText(file, "no library");
        (int code, string output, _) = Score(file, "--backend", "mlx");
        code.ShouldBe(1);
        output.ShouldContain(file);
        output.ShouldNotContain("absent");
    }

    [Fact]
    public void A_library_without_the_functions_is_of_another_version()
    {
        string? other = NativeLibraryOfTheRuntime();
        Assert.SkipWhen(other is null, "the runtime's own native library was not found");
        (int code, string output, _) = Score(other!, "--backend", "mlx");
        code.ShouldBe(1);
        output.ShouldContain("version of mlx-c that Sway does not know");
    }

    [Fact]
    public void Without_the_library_the_managed_engine_serves()
    {
        (int code, string output, string error) = Score(_folder.File("no-such.so"), "--backend", "cpu");
        code.ShouldBe(0, error);
        JsonDocument.Parse(output).RootElement.GetProperty("backend").GetString().ShouldBe("cpu");
    }

    [Fact]
    public void The_managed_engine_has_no_native_precision_and_says_so()
    {
        (int code, string output, _) = Score(_folder.File("no-such.so"), "--backend", "cpu", "--precision", "native");
        code.ShouldBe(1);
        output.ShouldContain("float32 only");
    }

    private static string? NativeLibraryOfTheRuntime()
    {
        string folder = System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory();
        return Directory.EnumerateFiles(folder, "*System.Native.*").FirstOrDefault(file => Path.GetExtension(file) is ".so" or ".dylib");
    }

    private (int Code, string Output, string Error) Score(string library, params string[] more)
    {
        string input = _folder.File("items.jsonl");
        File.WriteAllText(input, """{"id":"a","promptIds":[1,5],"completionIds":[9,7]}""");
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string arg in (string[])
            [Path.Combine(AppContext.BaseDirectory, "sway.dll"), "score", "--model", Golden.Folder("llama-gqa"), "--input", input, "--json", "--no-cache", .. more])
        {
            start.ArgumentList.Add(arg);
        }

        start.Environment["SWAY_NATIVE_LIBRARY"] = library;
        using Process process = Process.Start(start)!;
        return SwayProcess.Finish(process);
    }
}
