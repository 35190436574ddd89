using System.Management.Automation;
using Sway.Inference;
using Sway.Scoring;

namespace Sway.PowerShell.Measuring;

/// <summary>The parameters that all measuring cmdlets share.</summary>
public abstract partial class MeasureCommand
{
    private const string SessionSet = "Session";

    /// <summary>The parameter set of cmdlets that load the model themselves.</summary>
    protected const string ModelSet = "Model";

    /// <summary>An open session.</summary>
    [Parameter(Mandatory = true, ParameterSetName = SessionSet)]
    [SessionArgument]
    [ArgumentCompleter(typeof(SessionNameCompleter))]
    [ValidateNotNull]
    public SwaySession? Session { get; set; }

    /// <summary>The base model's folder.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ModelSet)]
    [Alias("BaseModel")]
    [ValidateNotNullOrEmpty]
    public string Model { get; set; } = "";

    /// <summary>Adapters; each item is measured with each of them.</summary>
    [Parameter(ParameterSetName = ModelSet)]
    [SupportsWildcards]
    [AdapterArgument]
    [ValidateNotNullOrEmpty]
    public string[] Adapter { get; set; } = [];

    /// <summary>Which adapter, where one folder or file holds several.</summary>
    [Parameter(ParameterSetName = ModelSet)]
    [ValidateNotNullOrEmpty]
    public string? AdapterName { get; set; }

    /// <summary>Strength of the adapter: 0 = base, 1 = the adapter, anything between or beyond.</summary>
    [Parameter(ParameterSetName = ModelSet)]
    [ValidateRange(-1000.0, 1000.0)]
    public double Strength { get; set; } = 1.0;

    /// <summary>The engine.</summary>
    [Parameter(ParameterSetName = ModelSet)]
    public BackendChoice Backend { get; set; }

    /// <summary>The arithmetic.</summary>
    [Parameter(ParameterSetName = ModelSet)]
    public PrecisionChoice Precision { get; set; }

    /// <summary>Threads; 0 = one for each processor.</summary>
    [Parameter(ParameterSetName = ModelSet)]
    [ValidateRange(0, 1024)]
    public int Threads { get; set; }

    /// <summary>A file that gets one JSON line for each item.</summary>
    [Parameter(ParameterSetName = ModelSet)]
    [ValidateNotNullOrEmpty]
    public string? TracePath { get; set; }

    /// <summary>Neither take scores from the cache nor keep them there.</summary>
    [Parameter(ParameterSetName = ModelSet)]
    public SwitchParameter NoCache { get; set; }

    /// <summary>When a start token is put in front of a text.</summary>
    [Parameter]
    public BosMode Bos { get; set; }

    /// <summary>What comes down the pipeline: what is measured, or adapters when parameters say all of that.</summary>
    [Parameter(ValueFromPipeline = true)]
    [ValidateNotNull]
    public PSObject[] InputObject { get; set; } = [];
}
