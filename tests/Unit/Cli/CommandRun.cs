using System.Text.Json;
using Sway.Cli;

namespace Sway.Unit.Cli;

/// <summary>One invocation of the command in this process.</summary>
internal sealed record CommandRun(int Code, string Output, string Error)
{
    /// <summary>The output's lines, each parsed.</summary>
    public List<JsonElement> Json => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => JsonDocument.Parse(line).RootElement)
        .ToList();

    public static CommandRun Of(params string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        int code = CommandLine.Run(args, output, error);
        return new(code, output.ToString(), error.ToString());
    }
}
