using System.ComponentModel;
using System.Management.Automation;
using Microsoft.PowerShell.Commands;
using Sway.PowerShell.Measuring;
using Sway.Tokenization;

namespace Sway.PowerShell;

/// <summary>Base of the cmdlets that use a model's tokenizer: that of a folder, or of an open session, which has it loaded.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class TokenizerCommand : PSCmdlet, IDisposable
{
    /// <summary>The parameter set with a folder.</summary>
    protected const string ModelSet = "Model";

    private const string SessionSet = "Session";

    private SessionUse? _use;

    /// <summary>The model's folder, or any folder with a tokenizer.json.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ModelSet)]
    [Alias("BaseModel")]
    [ValidateNotNullOrEmpty]
    public string Model { get; set; } = "";

    /// <summary>An open session.</summary>
    [Parameter(Mandatory = true, ParameterSetName = SessionSet)]
    [SessionArgument]
    [ArgumentCompleter(typeof(SessionNameCompleter))]
    [ValidateNotNull]
    public SwaySession? Session { get; set; }

    private protected Tokenizer Tokenizer { get; private set; } = null!;

    private protected string ModelPath { get; private set; } = "";

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        ErrorRecord? error = null;
        try
        {
            if (ParameterSetName == SessionSet)
            {
                ModelPath = Session!.Model;
                _use = Session.Use();
                error = _use is null ? ErrorRecords.SessionClosed(Session.Name) : null;
                Tokenizer = _use?.Encoder.Tokenizer!;
            }
            else
            {
                ModelPath = SessionState.Path.GetUnresolvedProviderPathFromPSPath(Model, out ProviderInfo provider, out _);
                error = provider.ImplementingType == typeof(FileSystemProvider) ? null : ErrorRecords.NotFileSystem(Model, provider.Name);
                Tokenizer = error is null ? Tokenizer.Load(ModelPath) : null!;
            }
        }
        catch (TokenizationException exception)
        {
            error = ErrorRecords.Of(exception, ModelPath);
        }

        if (error is not null)
        {
            ThrowTerminatingError(error);
        }
    }

    /// <summary>Lets the session go.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Lets the session go.</summary>
    /// <param name="disposing">Always true: there is nothing else to free.</param>
    protected virtual void Dispose(bool disposing) => _use?.Dispose();
}
