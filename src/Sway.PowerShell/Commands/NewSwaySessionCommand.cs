using System.Management.Automation;
using Sway.Inference;
using Sway.PowerShell.Measuring;
using Sway.Scoring;

namespace Sway.PowerShell.Commands;

/// <summary>New-SwaySession: a base model, with or without an adapter, loaded once for many measurements.</summary>
[Cmdlet(VerbsCommon.New, "SwaySession")]
[OutputType(typeof(SwaySession))]
public sealed class NewSwaySessionCommand : SwayCommand
{
    private string _model = "";

    /// <summary>The base model's folder.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [Alias("BaseModel")]
    [ValidateNotNullOrEmpty]
    public string Model { get; set; } = "";

    /// <summary>The adapter, of any form that Sway reads.</summary>
    [Parameter(Position = 1, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName", "PSPath")]
    [AdapterArgument]
    [ValidateNotNullOrEmpty]
    public string? Adapter { get; set; }

    /// <summary>A name by which other cmdlets find the session.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Name { get; set; }

    /// <summary>Which adapter, where one folder or file holds several.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? AdapterName { get; set; }

    /// <summary>Strength of the adapter: 0 = base, 1 = the adapter, anything between or beyond.</summary>
    [Parameter]
    [ValidateRange(-1000.0, 1000.0)]
    public double Strength { get; set; } = 1.0;

    /// <summary>The engine.</summary>
    [Parameter]
    public BackendChoice Backend { get; set; }

    /// <summary>The arithmetic.</summary>
    [Parameter]
    public PrecisionChoice Precision { get; set; }

    /// <summary>Threads; 0 = one for each processor.</summary>
    [Parameter]
    [ValidateRange(0, 1024)]
    public int Threads { get; set; }

    /// <summary>A file that gets one JSON line for each item.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? TracePath { get; set; }

    /// <summary>Neither take scores from the cache nor keep them there.</summary>
    [Parameter]
    public SwitchParameter NoCache { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing() => _model = ResolveFolder(Model, nameof(Model), mustExist: true);

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        string? adapter = null;
        if (Adapter is not null)
        {
            (List<string> found, ErrorRecord? error) = FindExisting(Adapter);
            if (error is not null || found.Count > 1)
            {
                WriteError(error ?? ErrorRecords.Usage($"-Adapter: '{Adapter}' names {found.Count} items; a session has one adapter.", Adapter));
                return;
            }

            adapter = found[0];
        }

        if (Name is not null && SessionTable.Current.Open().Exists(session => string.Equals(session.Name, Name, StringComparison.OrdinalIgnoreCase)))
        {
            WriteError(new ErrorRecord(
                new PSInvalidOperationException($"A session named '{Name}' is open. Choose another name, or close it with Remove-SwaySession."),
                "SessionExists",
                ErrorCategory.ResourceExists,
                Name));
            return;
        }

        var engine = new EngineParameters(
            Backend, Precision, Threads, Strength, AdapterName, TracePath is null ? null : ResolveFile(TracePath), !NoCache);
        if (TryRun(adapter ?? _model, () => engine.Open(_model, adapter), out ScoringSession scoring))
        {
            SwaySession session = SessionTable.Current.Add(id => new SwaySession(id, Name ?? $"Session{id}", scoring, Strength, Precision));
            WriteVerbose($"{session.Name}: {session.ModelType} from {session.Model}, adapter {session.Adapter ?? "none"}, engine {session.Backend}.");
            WriteObject(session);
        }
    }
}
