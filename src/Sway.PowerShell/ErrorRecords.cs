using System.Management.Automation;
using Sway.Adapters;

namespace Sway.PowerShell;

/// <summary>Every error record of the module: id, category and target are decided here once. The ids are part of the interface.</summary>
internal static class ErrorRecords
{
    /// <summary>The record for a failure of one item.</summary>
    internal static ErrorRecord Of(Exception exception, object target)
    {
        (string id, ErrorCategory category) = exception switch
        {
            ConversionRefusedException => ("ConversionRefused", ErrorCategory.InvalidData),
            AdapterFormatException => ("InvalidAdapter", ErrorCategory.InvalidData),
            ModelFormatException => ("InvalidModel", ErrorCategory.InvalidData),
            UnsupportedModelException => ("UnsupportedModel", ErrorCategory.NotImplemented),
            OutputException { Kind: OutputErrorKind.Exists } => ("OutputExists", ErrorCategory.ResourceExists),
            OutputException { Kind: OutputErrorKind.IsSource } => ("OutputIsSource", ErrorCategory.InvalidArgument),
            OutputException => ("InvalidOutput", ErrorCategory.InvalidArgument),
            InputException => ("InvalidInput", ErrorCategory.InvalidData),
            NativeLibraryException => ("NativeLibraryUnavailable", ErrorCategory.ResourceUnavailable),
            ObjectDisposedException => ("SessionClosed", ErrorCategory.ResourceUnavailable),
            SwayException known => (known.Category + "Failed", ErrorCategory.InvalidResult),
            FileNotFoundException or DirectoryNotFoundException => ("FileNotFound", ErrorCategory.ObjectNotFound),
            UnauthorizedAccessException => ("AccessDenied", ErrorCategory.PermissionDenied),
            IOException => ("InputOutputFailed", ErrorCategory.ReadError),
            NotSupportedException or NotImplementedException => ("NotSupported", ErrorCategory.NotImplemented),
            PSArgumentException => ("IncompleteItem", ErrorCategory.InvalidData),
            ArgumentException => ("InvalidArgument", ErrorCategory.InvalidArgument),
            _ => ("UnexpectedFailure", ErrorCategory.InvalidOperation),
        };
        var record = new ErrorRecord(exception, id, category, target);
        if (exception is SwayException { Remedy: { } remedy })
        {
            // In the message only: PowerShell would print a recommended action once more below it.
            record.ErrorDetails = new ErrorDetails(exception.Message.Contains(remedy, StringComparison.Ordinal)
                ? exception.Message
                : $"{exception.Message} {remedy}");
        }

        return record;
    }

    internal static ErrorRecord PathNotFound(string path, Exception? inner = null) => new(
        new ItemNotFoundException($"Cannot find path '{path}' because it does not exist, or no item matches it.", inner),
        "PathNotFound",
        ErrorCategory.ObjectNotFound,
        path);

    internal static ErrorRecord NotFileSystem(string path, string provider) => new(
        new PSArgumentException($"The path '{path}' belongs to the provider {provider}; adapters are files and folders."),
        "PathNotFileSystem",
        ErrorCategory.InvalidArgument,
        path);

    internal static ErrorRecord ParameterFolderNotFound(string path, string parameter) => new(
        new DirectoryNotFoundException($"-{parameter}: '{path}' does not exist or is not a folder."),
        "FolderNotFound",
        ErrorCategory.ObjectNotFound,
        path);

    internal static ErrorRecord ParameterConflict(string first, string second) => new(
        new PSArgumentException($"-{first} and -{second} exclude each other."),
        "ParametersExclude",
        ErrorCategory.InvalidArgument,
        second);

    internal static ErrorRecord ParameterInvalid(string parameter, string reason) => new(
        new PSArgumentException($"-{parameter} {reason}."),
        "ParameterInvalid",
        ErrorCategory.InvalidArgument,
        parameter);

    internal static ErrorRecord OutputExists(string path) => Of(
        new OutputException(OutputErrorKind.Exists, $"'{path}' exists already.") { Path = path, Remedy = "Use -Force to replace it." }, path);

    internal static ErrorRecord SessionClosed(string name) => new(
        new PSInvalidOperationException($"The session '{name}' is closed. Open another one with New-SwaySession."),
        "SessionClosed",
        ErrorCategory.ResourceUnavailable,
        name);

    internal static ErrorRecord SessionNotFound(string what) => new(
        new ItemNotFoundException($"There is no session {what} in this runspace. Get-SwaySession lists those that are open."),
        "SessionNotFound",
        ErrorCategory.ObjectNotFound,
        what);

    internal static ErrorRecord Usage(string message, object? target = null) => new(
        new PSArgumentException(message), "InvalidUsage", ErrorCategory.InvalidArgument, target);

    /// <summary>An input object that lacks what is to be measured.</summary>
    internal static ErrorRecord IncompleteItem(string message, object? target) => new(
        new PSArgumentException(message), "IncompleteItem", ErrorCategory.InvalidData, target);
}
