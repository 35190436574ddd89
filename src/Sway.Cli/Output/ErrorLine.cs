using System.Text.Json.Serialization;

namespace Sway.Cli.Output;

/// <summary>A failed item as a line of JSON.</summary>
/// <param name="Path">The item that is a path; null for one that has an id.</param>
/// <param name="Id">The id of an item that is measured; null for one that is a path.</param>
/// <param name="Error">What is wrong.</param>
internal sealed record ErrorLine(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Path,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Id,
    ErrorBody Error)
{
    /// <summary>Names the failure of an item that is measured.</summary>
    internal static ErrorLine OfItem(Exception exception, string id) => Of(exception, null) with { Path = null, Id = id };

    /// <summary>Names any failure: those of Sway by their own category, those of the system by a few stable ones.</summary>
    internal static ErrorLine Of(Exception exception, string? path)
    {
        if (exception is SwayException known)
        {
            return new(path ?? known.Path, null, new(known.Category, known.Message, known.Tensors, known.Remedy));
        }

        (string category, string? remedy) = exception switch
        {
            FileNotFoundException or DirectoryNotFoundException => ("PathNotFound", "Check the spelling of the path."),
            UnauthorizedAccessException => ("AccessDenied", "Check the permissions of the file or folder."),
            IOException => ("InputOutput", (string?)null),
            ArgumentException => ("Argument", null),
            OutOfMemoryException => ("OutOfMemory", null),
            _ => ("Internal", null),
        };
        string message = category == "Internal" ? $"{exception.GetType().Name}: {exception.Message}" : exception.Message;
        return new(path, null, new(category, message, [], remedy));
    }

    /// <summary>The same for people. Messages of refusals carry their remedies already.</summary>
    internal string Describe()
    {
        string text = Error.Message;
        if (Path is not null && !text.Contains(Path, StringComparison.Ordinal))
        {
            text = $"{Path}: {text}";
        }
        else if (Id is not null)
        {
            text = $"item {Id}: {text}";
        }

        return Error.Remedy is null || text.Contains(Error.Remedy, StringComparison.Ordinal) ? text : $"{text} {Error.Remedy}";
    }
}

/// <summary>What is wrong with an item.</summary>
/// <param name="Category">A stable name, for scripts.</param>
/// <param name="Message">One sentence or more.</param>
/// <param name="Tensors">The tensors at fault.</param>
/// <param name="Remedy">What to try next.</param>
internal sealed record ErrorBody(string Category, string Message, IReadOnlyList<string> Tensors, string? Remedy);
