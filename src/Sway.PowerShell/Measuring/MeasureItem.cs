using System.Collections;
using System.Globalization;
using System.Management.Automation;

namespace Sway.PowerShell.Measuring;

/// <summary>One thing to measure, as parameters or the pipeline give it. What is not given is null.</summary>
internal sealed record MeasureItem(string Id)
{
    /// <summary>What came down the pipeline, for the result to carry along.</summary>
    internal PSObject? Source { get; init; }

    /// <summary>A piped string or line, whose role the cmdlet decides.</summary>
    internal string? Plain { get; init; }

    internal string? Prompt { get; init; }

    internal string? Completion { get; init; }

    internal string? Text { get; init; }

    internal int[]? PromptIds { get; init; }

    internal int[]? CompletionIds { get; init; }

    internal int[]? Ids { get; init; }

    /// <summary>A text file.</summary>
    internal string? File { get; init; }

    /// <summary>What error records point at: the piped object, or the name of the item.</summary>
    internal object Target => Source ?? (object)Id;

    /// <summary>Reads an object of the pipeline: a string, a file, a dictionary, or anything with properties of these names.</summary>
    /// <param name="input">The object.</param>
    /// <param name="number">Its number, which names it when it has no Id.</param>
    /// <exception cref="PSArgumentException">A property is not what its name says.</exception>
    internal static MeasureItem Read(PSObject input, int number)
    {
        string name = number.ToString(CultureInfo.InvariantCulture);
        switch (input.BaseObject)
        {
            case string text:
                return new MeasureItem(name) { Source = input, Plain = text };
            case FileInfo file:
                return new MeasureItem(System.IO.Path.GetFileNameWithoutExtension(file.Name)) { Source = input, File = file.FullName };
            default:
                object? Value(string property) => Unwrap(input.BaseObject is IDictionary dictionary
                    ? dictionary.Keys.OfType<string>().Where(key => key.Equals(property, StringComparison.OrdinalIgnoreCase))
                        .Select(key => dictionary[key]).FirstOrDefault()
                    : input.Properties[property]?.Value);
                return new MeasureItem(Value("Id") is { } id ? LanguagePrimitives.ConvertTo<string>(id) : name)
                {
                    Source = input,
                    Prompt = AsText("Prompt", Value("Prompt")),
                    Completion = AsText("Completion", Value("Completion")),
                    Text = AsText("Text", Value("Text")),
                    PromptIds = AsIds("PromptIds", Value("PromptIds")),
                    CompletionIds = AsIds("CompletionIds", Value("CompletionIds")),
                    Ids = AsIds("Ids", Value("Ids")),
                };
        }
    }

    /// <summary>Puts the item's name before the message of its error: a pipeline brings many.</summary>
    internal ErrorRecord Label(ErrorRecord error)
    {
        if (Source is not null)
        {
            error.ErrorDetails = new ErrorDetails($"Item {Id}: {error.ErrorDetails?.Message ?? error.Exception.Message}");
        }

        return error;
    }

    private static object? Unwrap(object? value) => value is PSObject wrapped ? wrapped.BaseObject : value;

    private static string? AsText(string property, object? value) => value switch
    {
        null => null,
        string text => text,

        // ConvertFrom-Json makes one of a text that looks like a date; its own words are lost.
        DateTime or DateTimeOffset => throw new PSArgumentException(
            $"The property {property} is a date, not the text that it was made of; read the file with ConvertFrom-Json -DateKind String."),
        char or bool or IFormattable => LanguagePrimitives.ConvertTo<string>(value),
        _ => throw new PSArgumentException($"The property {property} is not a text."),
    };

    // Never by PowerShell's own conversion, which reads the text '1,2' of a table's column as the number 12.
    private static int[]? AsIds(string property, object? value)
    {
        switch (value)
        {
            case null:
                return null;
            case string text:
                string[] parts = text.Trim('[', ']', ' ').Split([',', ' ', ';'], StringSplitOptions.RemoveEmptyEntries);
                return Array.ConvertAll(parts, part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                    ? id
                    : throw NotIds(property));
            case IEnumerable list:
                return [.. list.Cast<object?>().Select(element => Unwrap(element) switch
                {
                    int id and >= 0 => id,
                    long id and >= 0 and <= int.MaxValue => (int)id,
                    _ => throw NotIds(property),
                })];
            case int or long:
                return AsIds(property, new object[] { value });
            default:
                throw NotIds(property);
        }
    }

    private static PSArgumentException NotIds(string property) => new($"The property {property} is not a list of token ids.");
}
