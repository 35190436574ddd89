using Sway.Adapters;

namespace Sway.Cli.Output;

/// <summary>Adapters as tables.</summary>
internal static class AdapterTables
{
    /// <summary>One row for each adapter, then the modules and problems of those that have any.</summary>
    internal static void Write(CommandOutput output, IReadOnlyList<LoraAdapterInfo> adapters)
    {
        var table = new TextTable()
            .Column("Name").Column("Format").Column("Method")
            .Column("Rank", wrap: true).Column("Scaling", wrap: true).Column("Modules", right: true).Column("Layers", right: true)
            .Column("Parameters", right: true).Column("Type").Column("Size", right: true);
        foreach (LoraAdapterInfo adapter in adapters)
        {
            table.Row(
                adapter.Name,
                adapter.Format,
                adapter.Method,
                Format.List(adapter.Ranks),
                Format.List(adapter.Scalings),
                Format.Count(adapter.ModuleCount),
                Format.Count(adapter.LayerCount),
                Format.Count(adapter.Parameters),
                Format.List(adapter.DTypes),
                Format.Bytes(adapter.SizeBytes));
        }

        table.WriteTo(output);
        foreach (LoraAdapterInfo adapter in adapters)
        {
            WriteDetails(output, adapter);
        }
    }

    private static void WriteDetails(CommandOutput output, LoraAdapterInfo adapter)
    {
        if (adapter.Modules.Count > 0)
        {
            bool norms = adapter.Modules.Any(module => module.DeltaNorm is not null);
            bool experts = adapter.Modules.Any(module => module.Experts > 0);
            output.Line($"{adapter.Name}: {Format.Path(adapter.FullName)}, base {adapter.BaseModel ?? "not recorded"}");
            WriteModules(output, adapter.Modules, norms, experts);
        }

        foreach (string problem in adapter.Problems)
        {
            output.Line($"{adapter.Name}: {problem}");
        }
    }

    private static void WriteModules(CommandOutput output, IReadOnlyList<LoraModuleInfo> modules, bool norms, bool experts)
    {
        TextTable table = new TextTable()
            .Column("Module").Column("Kind").Column("Rank", right: true).Column("Scaling", right: true)
            .Column("In", right: true).Column("Out", right: true).Column("Type");
        if (experts)
        {
            table.Column("Experts", right: true);
        }

        if (norms)
        {
            table.Column("Norm of delta", right: true);
        }

        foreach (LoraModuleInfo module in modules)
        {
            List<string> cells =
            [
                module.Path, module.IsDora ? module.Kind + ", DoRA" : module.Kind, Format.Count(module.Rank),
                Format.Number(module.Scaling), Format.Count(module.InputSize), Format.Count(module.OutputSize), module.DType,
            ];
            if (experts)
            {
                cells.Add(Format.Count(module.Experts));
            }

            if (norms)
            {
                cells.Add(module.DeltaNorm is { } norm ? Format.Number(norm) : "");
            }

            table.Row([.. cells]);
        }

        table.WriteTo(output);
    }
}
