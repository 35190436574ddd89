using Spectre.Console;

namespace Sway.Cli.Output;

/// <summary>A table for people. Only this class touches the table library, so that JSON output never loads it.</summary>
internal sealed class TextTable
{
    private readonly Table _table = new() { Border = TableBorder.Simple };

    /// <summary>Adds a column; numbers are set flush right, and only long texts wrap.</summary>
    internal TextTable Column(string title, bool right = false, bool wrap = false)
    {
        var column = new TableColumn(new Text(title)) 
        {
            NoWrap = !wrap,
            Alignment = right ? Justify.Right : Justify.Left,
            Padding = new Padding(0, 0, 1, 0),
        };
        _table.AddColumn(column);
        return this;
    }

    /// <summary>Adds a row of plain texts.</summary>
    internal TextTable Row(params string[] cells)
    {
        _table.AddRow(cells.Select(cell => new Text(cell)));
        return this;
    }

    /// <summary>Writes the table, within the columns of the output.</summary>
    internal void WriteTo(CommandOutput output)
    {
        using var text = new StringWriter();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(text),
        });
        console.Profile.Width = output.Width;
        console.Profile.Capabilities.Unicode = true;
        console.Write(_table);

        // The library pads every line to the table's width and frames it with blank ones.
        foreach (string line in text.ToString().Split('\n').Select(line => line.TrimEnd()).Where(line => line.Length > 0))
        {
            output.Line(line);
        }

        output.Line();
    }
}
