using System.ComponentModel;
using System.Management.Automation;
using Sway.Adapters;
using Sway.Adapters.Megatron;

namespace Sway.PowerShell;

/// <summary>Base of every cmdlet that takes adapters by path or from the pipeline.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class AdapterCommand : SwayCommand
{
    private const string PathSet = "Path";
    private const string LiteralPathSet = "LiteralPath";
    private const string InputObjectSet = "InputObject";

    /// <summary>The name of the parameter set that is meant when nothing tells.</summary>
    protected const string DefaultSet = PathSet;

    /// <summary>Adapter folders, or weights files in them; wildcards allowed.</summary>
    [Parameter(
        Mandatory = true,
        Position = 0,
        ParameterSetName = PathSet,
        ValueFromPipeline = true,
        ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [EscapeFileSystemItem]
    public string[] Path { get; set; } = [];

    /// <summary>Adapter folders, or weights files in them, exactly as written.</summary>
    [Parameter(Mandatory = true, ParameterSetName = LiteralPathSet, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [Alias("PSPath", "LP", "FullName")]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>Adapters as <c>Get-LoraAdapterInfo</c> describes them.</summary>
    [Parameter(Mandatory = true, ParameterSetName = InputObjectSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public LoraAdapterInfo[] InputObject { get; set; } = [];

    /// <summary>True under -WhatIf, however it was asked for.</summary>
    private protected bool IsWhatIf => MyInvocation.BoundParameters.TryGetValue("WhatIf", out object? bound)
        ? ((SwitchParameter)bound).IsPresent
        : LanguagePrimitives.IsTrue(GetVariableValue("WhatIfPreference"));

    /// <inheritdoc/>
    protected sealed override void ProcessRecord()
    {
        foreach (AdapterInput input in EnumerateInputs())
        {
            // Get-ChildItem on a Megatron run lists the run's notes beside its checkpoints; they would name one of them again.
            if (MyInvocation.ExpectingInput && MegatronCheckpoint.IsRunNote(input.FullName))
            {
                WriteVerbose($"{input.FullName} only tells about the checkpoints beside it; it is passed over.");
                continue;
            }

            ProcessAdapter(input.FullName, input.IsOneOfSeveral);
        }
    }

    /// <summary>Handles one adapter; writes its result or its error.</summary>
    /// <param name="fullName">The adapter's absolute path.</param>
    /// <param name="isOneOfSeveral">True when the way it was named can name several: the pipeline, a wildcard, a list.</param>
    protected abstract void ProcessAdapter(string fullName, bool isOneOfSeveral);

    private IEnumerable<AdapterInput> EnumerateInputs()
    {
        bool fromPipeline = MyInvocation.ExpectingInput;
        switch (ParameterSetName)
        {
            case InputObjectSet:
                foreach (LoraAdapterInfo info in InputObject)
                {
                    yield return new(info.FullName, fromPipeline || InputObject.Length > 1);
                }

                break;
            case LiteralPathSet:
                foreach (string path in LiteralPath)
                {
                    if (ResolveLiteral(path) is { } full)
                    {
                        yield return new(full, fromPipeline || LiteralPath.Length > 1);
                    }
                }

                break;
            default:
                foreach (string path in Path)
                {
                    bool several = fromPipeline || Path.Length > 1 || WildcardPattern.ContainsWildcardCharacters(path);
                    foreach (string full in ResolvePattern(path))
                    {
                        yield return new(full, several);
                    }
                }

                break;
        }
    }

    private string? ResolveLiteral(string path)
    {
        ErrorRecord error;
        try
        {
            string full = SessionState.Path.GetUnresolvedProviderPathFromPSPath(path, out ProviderInfo provider, out _);
            if (IsFileSystem(provider) && System.IO.Path.Exists(full))
            {
                return System.IO.Path.TrimEndingDirectorySeparator(full);
            }

            error = IsFileSystem(provider) ? ErrorRecords.PathNotFound(path) : ErrorRecords.NotFileSystem(path, provider.Name);
        }
        catch (Exception exception) when (exception is not (PipelineStoppedException or FlowControlException))
        {
            error = ErrorRecords.PathNotFound(path, exception);
        }

        WriteError(error);
        return null;
    }

    private List<string> ResolvePattern(string path)
    {
        ErrorRecord error;
        try
        {
            List<string> found = [.. GetResolvedProviderPathFromPSPath(path, out ProviderInfo provider)];
            if (IsFileSystem(provider) && found.Count > 0)
            {
                return found.ConvertAll(System.IO.Path.TrimEndingDirectorySeparator);
            }

            // A pattern that matches nothing yields no error of its own.
            error = IsFileSystem(provider) ? ErrorRecords.PathNotFound(path) : ErrorRecords.NotFileSystem(path, provider.Name);
        }
        catch (Exception exception) when (exception is not (PipelineStoppedException or FlowControlException))
        {
            error = ErrorRecords.PathNotFound(path, exception);
        }

        WriteError(error);
        return [];
    }
}
