using System.CommandLine;
using Sway.Cli.Output;
using Sway.Validation;

namespace Sway.Cli.Commands;

/// <summary><c>sway test</c>: what is wrong with adapters, and whether they are the function of a reference.</summary>
internal static class TestCommand
{
    internal static Command Create()
    {
        Argument<string[]> paths = CommonOptions.AdapterPaths();
        Option<string?> reference = new("--reference") { Description = "An adapter of any format that must be the same function.", HelpName = "PATH" };
        var tolerance = new Option<double>("--tolerance")
        {
            Description = "The largest relative difference of a module's delta from the reference that still counts as the same.",
            HelpName = "X",
            DefaultValueFactory = _ => AdapterTestOptions.DefaultTolerance,
        };
        Option<string?> baseModel = CommonOptions.Base();
        Option<bool> noBase = CommonOptions.NoBase();
        Option<string?> adapterName = new("--adapter-name")
        {
            Description = "Which adapter, where one folder or file holds several.",
            HelpName = "NAME",
        };
        var command = new Command("test", "Check adapters: files, structure, every number, the base, the programs that load them.")
        {
            paths, reference, tolerance, baseModel, noBase, adapterName,
        };
        return command.Runs(context =>
        {
            var options = new AdapterTestOptions
            {
                Reference = context.Value(reference) is { } path ? ExistingPath.Of(path) : null,
                Tolerance = context.Value(tolerance),
                BaseModel = context.Value(baseModel),
                NoBaseLookup = context.Value(noBase),
                AdapterName = context.Value(adapterName),
            };
            Check(options);
            return Run(context, context.Value(paths), options);
        });
    }

    private static void Check(AdapterTestOptions options)
    {
        if (!(options.Tolerance >= 0) || double.IsInfinity(options.Tolerance))
        {
            throw new UsageException("--tolerance must be a number of at least 0.");
        }

        if (options.BaseModel is not null && options.NoBaseLookup)
        {
            throw new UsageException("--base and --no-base exclude each other.");
        }
    }

    /// <summary>An adapter that did not pass counts as a failed item.</summary>
    private static int Run(CommandContext context, string[] paths, AdapterTestOptions options)
    {
        var results = new List<LoraAdapterTestResult>();
        int code = context.ForEach(paths, path =>
        {
            LoraAdapterTestResult result = AdapterTester.Test(ExistingPath.Of(path), options, context.Token);
            results.Add(result);
            if (context.Output.IsJson)
            {
                context.Output.Json(result, CliJson.Default.LoraAdapterTestResult);
            }
        });
        if (!context.Output.IsJson && results.Count > 0)
        {
            TestReport.Write(context.Output, results);
        }

        return results.TrueForAll(result => result.Passed) ? code : ExitCode.Failed;
    }
}
