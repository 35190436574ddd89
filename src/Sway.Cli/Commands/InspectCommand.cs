using System.CommandLine;
using Sway.Adapters;
using Sway.Cli.Output;

namespace Sway.Cli.Commands;

/// <summary><c>sway inspect</c>: what adapters are, without loading weights.</summary>
internal static class InspectCommand
{
    internal static Command Create()
    {
        Argument<string[]> paths = CommonOptions.AdapterPaths();
        var detailed = new Option<bool>("--detailed") { Description = "List every adapted module." };
        var norms = new Option<bool>("--norms") { Description = "Read the weights too, and give the norm of each module's delta." };
        Option<string?> adapterName = new("--adapter-name")
        {
            Description = "Which adapter, where one folder or file holds several.",
            HelpName = "NAME",
        };
        var command = new Command("inspect", "Say what adapters are: format, method, ranks, modules, problems. Reads headers only.")
        {
            paths, detailed, norms, adapterName,
        };
        return command.Runs(context => Run(
            context, context.Value(paths), context.Value(detailed), context.Value(norms), context.Value(adapterName)));
    }

    /// <summary>The body.</summary>
    internal static int Run(ItemContext context, string[] paths, bool detailed, bool norms, string? adapterName)
    {
        var found = new List<LoraAdapterInfo>();
        int code = context.ForEach(paths, path =>
        {
            LoraAdapterInfo info = AdapterInspector.Inspect(
                ExistingPath.Of(path), detailed, norms, adapterName, context.Token);
            if (context.Output.IsJson)
            {
                context.Output.Json(info, CliJson.Default.LoraAdapterInfo);
            }
            else
            {
                found.Add(info);
            }
        });
        if (found.Count > 0)
        {
            AdapterTables.Write(context.Output, found);
        }

        return code;
    }
}
