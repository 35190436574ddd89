using System.ComponentModel;
using System.Management.Automation;
using Sway.Inference;
using Sway.Scoring;

namespace Sway.PowerShell.Measuring;

/// <summary>
/// Base of every cmdlet that measures: what it measures with (a session, or a model and adapters for this pipeline alone), and the
/// way of items from parameters and from the pipeline.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract partial class MeasureCommand : SwayCommand
{
    private readonly HashSet<string> _failed = new(StringComparer.Ordinal);
    private SessionUse? _use;
    private List<string> _adapters = [];
    private string? _attached;
    private bool _hasInput;
    private int _number;

    /// <summary>What the progress bar says.</summary>
    private protected abstract string Activity { get; }

    /// <summary>Whether parameters alone say what is measured, so that a pipeline brings adapters.</summary>
    private protected abstract bool TextIsGiven { get; }

    /// <summary>How to say what is measured, for the error when nothing does.</summary>
    private protected abstract string InputHint { get; }

    /// <summary>Whether results are shown in their detailed view.</summary>
    private protected virtual bool IsDetailed => false;

    /// <summary>Whether results come so often that they are the progress.</summary>
    private protected virtual bool StreamsResults => false;

    /// <summary>Whether there is nothing to measure without an adapter.</summary>
    private protected virtual bool NeedsAdapter => false;

    private protected ScoringSession Scoring => _use!.Scoring;

    /// <summary>How the measurement is made, for results to say.</summary>
    private protected SessionUse Use => _use!;

    private protected PromptEncoder Encoder { get; private set; } = null!;

    private protected MeasureProgress Progress { get; private set; } = null!;

    /// <summary>The adapters to measure each item with; null for what the session has.</summary>
    private protected IReadOnlyList<string?> Adapters => _adapters.Count > 0 ? _adapters : (string?[])[Scoring.AdapterPath];

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        _hasInput = MyInvocation.ExpectingInput || MyInvocation.BoundParameters.ContainsKey(nameof(InputObject));
        bool adaptersArePiped = _hasInput && TextIsGiven;
        if (!_hasInput && !TextIsGiven)
        {
            ThrowTerminatingError(ErrorRecords.Usage($"There is nothing to measure. {InputHint}"));
        }

        if (adaptersArePiped && (ParameterSetName == SessionSet || Adapter.Length > 0))
        {
            ThrowTerminatingError(ErrorRecords.Usage(
                "Parameters say all that is measured, so the pipeline can only bring adapters; that needs -Model without -Adapter."));
        }

        if (NeedsAdapter && !adaptersArePiped && (ParameterSetName == SessionSet ? Session!.Adapter is null : Adapter.Length == 0))
        {
            ThrowTerminatingError(ErrorRecords.Usage("Only an adapter can differ from its base model. Give -Adapter, or a session with one."));
        }

        _use = ParameterSetName == SessionSet ? UseSession() : OpenModel();
        Encoder = _use.Encoder.With(Bos);
        Progress = new MeasureProgress(this, Activity) { IsHidden = StreamsResults };
    }

    /// <inheritdoc/>
    protected sealed override void ProcessRecord()
    {
        if (!_hasInput)
        {
            MeasureGiven();
            return;
        }

        foreach (PSObject input in InputObject)
        {
            if (TextIsGiven)
            {
                MeasureWith(input);
            }
            else if (ReadItem(input) is { } item)
            {
                Accept(item);
            }
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        Flush();
        Progress.Complete();
        double seconds = Math.Max(Progress.Elapsed.TotalSeconds, 1e-6);
        WriteVerbose($"{Progress.Items:N0} items, {Progress.Tokens:N0} tokens in {seconds:N1} s ({Progress.Tokens / seconds:N0} tokens/s), engine {Scoring.Backend}.");
    }

    /// <summary>Takes one item; it is measured now or in <see cref="Flush"/>.</summary>
    private protected abstract void Accept(MeasureItem item);

    /// <summary>Measures the items that were taken and not measured yet.</summary>
    private protected virtual void Flush()
    {
    }

    /// <summary>The items that parameters give.</summary>
    private protected abstract IEnumerable<MeasureItem> GivenItems();

    /// <summary>The next number, which names an item that has no name.</summary>
    private protected int NextNumber() => _number++;

    /// <summary>Makes an adapter the one that is measured.</summary>
    /// <returns>False when it cannot be attached; the error is written once.</returns>
    private protected bool Select(string? adapter)
    {
        if (_adapters.Count == 0 || adapter == _attached)
        {
            return true;
        }

        if (_failed.Contains(adapter!))
        {
            return false;
        }

        if (!TryRun(adapter!, () => Attach(adapter!), out bool _))
        {
            _failed.Add(adapter!);
            return false;
        }

        return true;
    }

    /// <summary>What the result of an item says of its making.</summary>
    private protected MeasureOrigin Origin(MeasureItem item, string? adapter) =>
        new(item.Id, item.Source, adapter, Scoring.Backend, Use.Strength, Use.Precision);

    /// <summary>Writes a result. The bar is taken away first: the pipeline may end here, or show the result.</summary>
    private protected void Write(object result)
    {
        PSObject output = PSObject.AsPSObject(result);
        if (IsDetailed)
        {
            // Another name selects another view; the object is the same.
            output.TypeNames.Insert(0, output.TypeNames[0] + "#Detailed");
        }

        Progress.Complete();
        WriteObject(output);
    }

    /// <summary>Text files that a parameter names.</summary>
    private protected IEnumerable<MeasureItem> Files(string[] paths)
    {
        foreach (string path in paths)
        {
            (List<string> found, ErrorRecord? error) = FindExisting(path);
            if (error is not null)
            {
                WriteError(error);
            }

            foreach (string file in found)
            {
                yield return new MeasureItem(System.IO.Path.GetFileNameWithoutExtension(file)) { File = file };
            }
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _use?.Dispose();
        }

        base.Dispose(disposing);
    }

    private SessionUse UseSession()
    {
        SessionUse? use = Session!.Use();
        if (use is null)
        {
            ThrowTerminatingError(ErrorRecords.SessionClosed(Session.Name));
        }

        return use!;
    }

    private SessionUse OpenModel()
    {
        string model = ResolveFolder(Model, nameof(Model), mustExist: true);
        foreach (string path in Adapter)
        {
            (List<string> found, ErrorRecord? error) = FindExisting(path);
            if (error is not null)
            {
                ThrowTerminatingError(error);
            }

            _adapters.AddRange(found);
        }

        string? only = _adapters.Count == 1 ? _adapters[0] : null;
        var engine = new EngineParameters(
            Backend, Precision, Threads, Strength, AdapterName, TracePath is null ? null : ResolveFile(TracePath), !NoCache);
        ScoringSession scoring = RunOrEnd(only ?? model, () => engine.Open(model, only));
        _attached = only;
        return new SessionUse(scoring, new PromptEncoder(model, scoring.Config, Bos), Strength, Precision, scoring.Dispose);
    }

    private bool Attach(string adapter)
    {
        _attached = null;
        Scoring.Attach(adapter);
        _attached = adapter;
        return true;
    }

    private void MeasureGiven()
    {
        foreach (MeasureItem item in GivenItems())
        {
            Accept(item);
        }
    }

    private void MeasureWith(PSObject input)
    {
        string? name = AdapterArgumentAttribute.NameOf(input) ?? input.BaseObject as string;
        if (name is null)
        {
            WriteError(ErrorRecords.IncompleteItem("Parameters say all that is measured, and this object is not an adapter.", input));
            return;
        }

        (List<string> found, ErrorRecord? error) = FindExisting(name);
        if (error is not null)
        {
            WriteError(error);
        }

        foreach (string adapter in found)
        {
            _adapters = [adapter];
            _number = 0;
            if (Select(adapter))
            {
                MeasureGiven();
                Flush();
            }
        }
    }

    private MeasureItem? ReadItem(PSObject input)
    {
        int number = NextNumber();
        string message;
        try
        {
            return MeasureItem.Read(input, number);
        }
        catch (PSArgumentException exception)
        {
            message = exception.Message;
        }

        WriteError(ErrorRecords.IncompleteItem($"Item {number}: {message}", input));
        return null;
    }
}
