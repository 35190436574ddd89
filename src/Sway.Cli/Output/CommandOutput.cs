using System.Text.Json.Serialization.Metadata;
using System.Text.Json;

namespace Sway.Cli.Output;

/// <summary>Results on stdout, as JSON lines or as text for people; messages on stderr.</summary>
internal sealed class CommandOutput(TextWriter output, TextWriter error, bool json)
{
    /// <summary>True when every result is one JSON object on a line.</summary>
    internal bool IsJson => json;

    /// <summary>True when a person watches: colours, and lines that are overwritten, make sense.</summary>
    internal bool IsTerminal => output is not StandardOutput && !Console.IsOutputRedirected && ReferenceEquals(output, Console.Out);

    /// <summary>The columns that a table may take.</summary>
    internal int Width => IsTerminal && Console.WindowWidth is > 40 and < 500 ? Console.WindowWidth : 100;

    /// <summary>Where results go.</summary>
    internal TextWriter Writer => output;

    /// <summary>Writes one line of JSON. Numbers are written so that reading gives the same bits.</summary>
    internal void Json<T>(T value, JsonTypeInfo<T> type)
    {
        // Flushed per line: a program at the other end of a pipe may wait for each result.
        output.WriteLine(JsonSerializer.Serialize(value, type));
        output.Flush();
    }

    /// <summary>Writes one line for people.</summary>
    internal void Line(string text = "") => output.WriteLine(text);

    /// <summary>Writes one line beside the results: progress, hints, warnings.</summary>
    internal void Message(string text)
    {
        output.Flush();
        error.WriteLine(OneLine(text));
    }

    /// <summary>Reports a failed item: an object on stdout with <c>--json</c>, and always one line on stderr.</summary>
    internal void Error(Exception exception, string? path) => Error(ErrorLine.Of(exception, path));

    /// <summary>Reports an item that cannot be measured, by its id.</summary>
    internal void ItemError(Exception exception, string id) => Error(ErrorLine.OfItem(exception, id));

    private void Error(ErrorLine line)
    {
        if (json)
        {
            Json(line, CliJson.Default.ErrorLine);
        }

        Message("sway: " + line.Describe());
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
