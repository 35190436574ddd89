using Sway.Cli.Output;

namespace Sway.Cli.Commands;

/// <summary>
/// <c>sway inspect</c> in its plain form: paths and the three switches, each written out at most once. To look at an adapter takes a
/// few milliseconds, less than to make the parser of all commands; whatever is written otherwise goes through that.
/// </summary>
internal static class PlainInspect
{
    /// <summary>Runs it; false, with nothing done, for any other form and any other command.</summary>
    internal static bool TryRun(string[] args, TextWriter output, TextWriter error, out int code)
    {
        code = ExitCode.Done;
        if (args.Length < 2 || args[0] != "inspect")
        {
            return false;
        }

        bool json = false, detailed = false, norms = false;
        var paths = new List<string>(args.Length);
        for (int i = 1; i < args.Length; i++)
        {
            string arg = args[i];
            bool known = arg switch
            {
                "--json" => Set(ref json),
                "--detailed" => Set(ref detailed),
                "--norms" => Set(ref norms),
                _ => IsPath(arg),
            };
            if (!known)
            {
                return false;
            }

            if (arg[0] != '-')
            {
                paths.Add(arg);
            }
        }

        if (paths.Count == 0)
        {
            return false;
        }

        var to = new CommandOutput(output, error, json);
        string[] all = [.. paths];
        int Body(CancellationToken token) => InspectCommand.Run(new ItemContext(to, token), all, detailed, norms, null);
        code = all.Length > 1 || norms ? CommandBody.Execute(to, error, Body) : CommandBody.ExecuteBrief(to, error, Body);
        output.Flush();
        return true;
    }

    private static bool Set(ref bool flag)
    {
        bool first = !flag;
        flag = true;
        return first;
    }

    // The parser gives these a meaning of their own: options, files of arguments, values of switches.
    private static bool IsPath(string arg) => arg.Length > 0 && arg[0] is not ('-' or '@')
        && !arg.Equals("true", StringComparison.OrdinalIgnoreCase) && !arg.Equals("false", StringComparison.OrdinalIgnoreCase);
}
