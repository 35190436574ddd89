using System.Management.Automation;

namespace Sway.PowerShell;

/// <summary>
/// Turns files and folders that are given to a wildcard parameter into their escaped full names: as strings they would lose their
/// folder, and brackets in a name would be read as a pattern that matches another file.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class EscapeFileSystemItemAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object data = Unwrap(inputData);
        return data switch
        {
            FileSystemInfo item => WildcardPattern.Escape(item.FullName),
            object[] items => Array.ConvertAll(items, EscapeItem),
            _ => inputData,
        };
    }

    private static object EscapeItem(object item) =>
        Unwrap(item) is FileSystemInfo file ? WildcardPattern.Escape(file.FullName) : item;

    private static object Unwrap(object data) => data is PSObject wrapped ? wrapped.BaseObject : data;
}
