using System.CommandLine;
using Sway.Cli.Output;

namespace Sway.Cli;

/// <summary>What a command's body gets.</summary>
/// <param name="Parse">The values of its options and arguments.</param>
/// <param name="Output">Where results and errors go.</param>
/// <param name="Token">Cancelled by Ctrl+C or a request to terminate.</param>
internal sealed record CommandContext(ParseResult Parse, CommandOutput Output, CancellationToken Token) : ItemContext(Output, Token)
{
    /// <summary>The value of an option, which has a default where it may be absent.</summary>
    internal T Value<T>(Option<T> option) => Parse.GetValue(option)!;

    /// <summary>Whether the command line names an option.</summary>
    internal bool Gives(Option option) => Parse.GetResult(option) is { Implicit: false };

    /// <summary>The value of an argument.</summary>
    internal T Value<T>(Argument<T> argument) => Parse.GetValue(argument)!;
}

/// <summary>Joins a command with its body.</summary>
internal static class CommandExtensions
{
    /// <summary>Adds <c>--json</c> and makes <paramref name="body"/> the command's action, under one rule for errors.</summary>
    internal static Command Runs(this Command command, Func<CommandContext, int> body)
    {
        command.Options.Add(CommonOptions.Json);
        command.SetAction(parse => Execute(parse, body));
        return command;
    }

    private static int Execute(ParseResult parse, Func<CommandContext, int> body)
    {
        TextWriter error = parse.InvocationConfiguration.Error;
        var output = new CommandOutput(parse.InvocationConfiguration.Output, error, parse.GetValue(CommonOptions.Json));
        return CommandBody.Execute(output, error, token => body(new CommandContext(parse, output, token)));
    }
}
