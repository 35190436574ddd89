using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace Sway.PowerShell.Measuring;

/// <summary>Lets a session be named by its name or number.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SessionArgumentAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) => inputData switch
    {
        object[] several => Array.ConvertAll(several, One),
        _ => One(inputData),
    };

    private static object One(object data)
    {
        object plain = data is PSObject wrapped ? wrapped.BaseObject : data;
        if (plain is SwaySession)
        {
            return plain;
        }

        if (plain is string or int)
        {
            string name = plain.ToString()!;
            return SessionTable.Current.Find(name)
                ?? throw new ArgumentTransformationMetadataException(ErrorRecords.SessionNotFound($"'{name}'").Exception.Message);
        }

        throw new ArgumentTransformationMetadataException(
            data is PSObject { TypeNames: var names } && names.Any(name => name.Contains("SwaySession", StringComparison.Ordinal))
                ? "A session lives in the process that opened it; open one in the job with New-SwaySession."
                : "A session is given as New-SwaySession put it out, or by its name or number.");
    }
}

/// <summary>Completes the names of open sessions.</summary>
public sealed class SessionNameCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        string word = (wordToComplete ?? "").Trim('\'', '"');
        var pattern = new WildcardPattern(WildcardPattern.Escape(word) + "*", WildcardOptions.IgnoreCase);
        foreach (SwaySession session in SessionTable.Current.Open().Where(session => pattern.IsMatch(session.Name)))
        {
            string text = session.Name.All(c => char.IsLetterOrDigit(c) || c is '-' or '_') && session.Name.Length > 0
                ? session.Name
                : "'" + session.Name.Replace("'", "''", StringComparison.Ordinal) + "'";
            yield return new CompletionResult(
                text, session.Name, CompletionResultType.ParameterValue, session.Adapter is null ? session.Model : $"{session.Model} + {session.Adapter}");
        }
    }
}

/// <summary>
/// Turns files, folders and objects that describe an adapter into escaped full names: as strings they would lose their folder, and
/// brackets in a name would be read as a pattern.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class AdapterArgumentAttribute : ArgumentTransformationAttribute
{
    /// <summary>The escaped full name of a file, a folder or an object with <c>FullName</c>; null for anything else.</summary>
    internal static string? NameOf(object? data)
    {
        object? plain = data is PSObject wrapped ? wrapped.BaseObject : data;
        return plain switch
        {
            null or string => null,
            FileSystemInfo item => WildcardPattern.Escape(item.FullName),
            _ => PSObject.AsPSObject(data!).Properties["FullName"]?.Value is string name ? WildcardPattern.Escape(name) : null,
        };
    }

    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) =>
        (inputData is PSObject wrapped ? wrapped.BaseObject : inputData) is object[] items
            ? Array.ConvertAll(items, item => NameOf(item) ?? item)
            : NameOf(inputData) ?? inputData;
}
