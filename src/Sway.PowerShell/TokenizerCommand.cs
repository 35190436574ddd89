using System.ComponentModel;
using System.Management.Automation;
using Microsoft.PowerShell.Commands;
using Sway.Tokenization;

namespace Sway.PowerShell;

/// <summary>Base of the cmdlets that use a model's tokenizer.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class TokenizerCommand : PSCmdlet
{
    /// <summary>The model's folder, or any folder with a tokenizer.json.</summary>
    [Parameter(Mandatory = true)]
    [Alias("BaseModel")]
    [ValidateNotNullOrEmpty]
    public string Model { get; set; } = "";

    private protected Tokenizer Tokenizer { get; private set; } = null!;

    private protected string ModelPath { get; private set; } = "";

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        ModelPath = SessionState.Path.GetUnresolvedProviderPathFromPSPath(Model, out ProviderInfo provider, out _);
        if (provider.ImplementingType != typeof(FileSystemProvider))
        {
            ThrowTerminatingError(ErrorRecords.NotFileSystem(Model, provider.Name));
        }

        ErrorRecord? error = null;
        try
        {
            Tokenizer = Tokenizer.Load(ModelPath);
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
}
