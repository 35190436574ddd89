using System.Text;

namespace Sway.Cli.Output;

/// <summary>A table for people: titles, a rule, rows. It is as wide as its texts need; what does not fit wraps where a column may.</summary>
internal sealed class TextTable
{
    private const int Gap = 2;

    // Narrower columns would be read downwards.
    private const int NarrowestWrap = 6;

    private readonly List<Heading> _columns = [];
    private readonly List<string[]> _rows = [];

    /// <summary>Adds a column; numbers are set flush right, and only long texts wrap.</summary>
    internal TextTable Column(string title, bool right = false, bool wrap = false)
    {
        _columns.Add(new Heading(title, right, wrap));
        return this;
    }

    /// <summary>Adds a row of plain texts, at most one for each column.</summary>
    internal TextTable Row(params string[] cells)
    {
        if (cells.Length > _columns.Count)
        {
            throw new ArgumentException($"A row of {cells.Length} cells is too long for {_columns.Count} columns.", nameof(cells));
        }

        _rows.Add(cells);
        return this;
    }

    /// <summary>Writes the table, within the columns of the output where its texts can be broken so.</summary>
    internal void WriteTo(CommandOutput output)
    {
        int[] widths = Widths(output.Width);
        var line = new StringBuilder();
        string[] titles = new string[widths.Length];
        int total = 1 - Gap;
        for (int i = 0; i < widths.Length; i++)
        {
            titles[i] = _columns[i].Title;
            total += widths[i] + Gap;
        }

        WriteRow(output, titles, widths, line);
        line.Clear();
        Repeat(line, '─', total + 1);
        output.Line(line.ToString());
        foreach (string[] row in _rows)
        {
            WriteRow(output, row, widths, line);
        }

        output.Line();
    }

    private int[] Widths(int available)
    {
        int[] widths = new int[_columns.Count];
        int total = 1 - Gap;
        for (int i = 0; i < widths.Length; i++)
        {
            widths[i] = TextColumns.Of(_columns[i].Title);
            foreach (string[] row in _rows)
            {
                widths[i] = i < row.Length ? Math.Max(widths[i], TextColumns.Of(row[i])) : widths[i];
            }

            total += widths[i] + Gap;
        }

        // The widest of the columns that may wrap gives way first.
        for (int excess = total + 1 - available; excess > 0; excess--)
        {
            int widest = -1;
            for (int i = 0; i < widths.Length; i++)
            {
                if (_columns[i].Wraps && widths[i] > Math.Max(TextColumns.Of(_columns[i].Title), NarrowestWrap)
                    && (widest < 0 || widths[i] > widths[widest]))
                {
                    widest = i;
                }
            }

            if (widest < 0)
            {
                break;
            }

            widths[widest]--;
        }

        return widths;
    }

    private void WriteRow(CommandOutput output, string[] cells, int[] widths, StringBuilder line)
    {
        var parts = new List<string>[cells.Length];
        int height = 1;
        for (int i = 0; i < cells.Length; i++)
        {
            parts[i] = TextColumns.Wrap(cells[i], widths[i]);
            height = Math.Max(height, parts[i].Count);
        }

        for (int y = 0; y < height; y++)
        {
            line.Clear();
            int position = 1;
            int written = 0;
            for (int i = 0; i < parts.Length; i++)
            {
                string text = y < parts[i].Count ? parts[i][y] : "";
                if (text.Length > 0)
                {
                    int width = TextColumns.Of(text);
                    int start = _columns[i].Right ? position + widths[i] - width : position;
                    Repeat(line, ' ', start - written);
                    line.Append(text);
                    written = start + width;
                }

                position += widths[i] + Gap;
            }

            output.Line(line.ToString());
        }
    }

    // The library's own way of repeating is compiled anew in each process that has wider vectors than it was built for.
    private static void Repeat(StringBuilder line, char c, int count)
    {
        for (int i = 0; i < count; i++)
        {
            line.Append(c);
        }
    }

    /// <param name="Title">What stands above the column.</param>
    /// <param name="Right">True for numbers.</param>
    /// <param name="Wraps">True when its texts may take several lines.</param>
    private sealed record Heading(string Title, bool Right, bool Wraps);
}
