using System.Management.Automation;
using Sway.PowerShell.Measuring;
using Sway.Scoring;
using Sway.Tokenization;

namespace Sway.PowerShell.Commands;

/// <summary>Invoke-AdapterGeneration: what base model and adapters write after prompts.</summary>
[Cmdlet(VerbsLifecycle.Invoke, "AdapterGeneration", DefaultParameterSetName = ModelSet)]
[OutputType(typeof(AdapterGeneration), typeof(GeneratedToken))]
public sealed class InvokeAdapterGenerationCommand : PromptCommand
{
    private GenerationSettings _settings = new();

    /// <summary>The most tokens.</summary>
    [Parameter]
    [Alias("MaxNewTokens")]
    [ValidateRange(1, int.MaxValue)]
    public int MaxTokens { get; set; } = 64;

    /// <summary>0 = always the most probable token.</summary>
    [Parameter]
    [ValidateRange(0.0, 1000.0)]
    public double Temperature { get; set; }

    /// <summary>Only the most probable tokens with this probability in all are drawn from.</summary>
    [Parameter]
    [ValidateRange(double.Epsilon, 1.0)]
    public double TopP { get; set; } = 1.0;

    /// <summary>Seed of the draws.</summary>
    [Parameter]
    public ulong Seed { get; set; }

    /// <summary>Which views generate.</summary>
    [Parameter]
    public GenerationView View { get; set; }

    /// <summary>Put out each token as soon as it is known.</summary>
    [Parameter]
    public SwitchParameter Stream { get; set; }

    /// <inheritdoc/>
    private protected override string Activity => "Generating";

    /// <inheritdoc/>
    private protected override bool StreamsResults => Stream;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        if (Temperature == 0.0 && (MyInvocation.BoundParameters.ContainsKey(nameof(Seed)) || MyInvocation.BoundParameters.ContainsKey(nameof(TopP))))
        {
            ThrowTerminatingError(ErrorRecords.Usage("-Seed and -TopP have no effect without -Temperature: the most probable token is taken."));
        }

        base.BeginProcessing();
        if (View == GenerationView.Adapted && !Scoring.HasAdapter && Adapters[0] is null && !MyInvocation.ExpectingInput)
        {
            ThrowTerminatingError(ErrorRecords.Usage("-View Adapted needs an adapter. Give -Adapter, or a session with one."));
        }

        _settings = new GenerationSettings
        {
            MaxTokens = MaxTokens, Temperature = Temperature, TopP = TopP, Seed = Seed, EndTokens = Encoder.EndTokens(),
        };
    }

    /// <inheritdoc/>
    private protected override void Measure(MeasureItem item, string? prompt, int[] ids, string? adapter)
    {
        GeneratedText? inBase = null;
        GeneratedText? adapted = null;
        bool fromBase = View == GenerationView.Base || (View == GenerationView.Both && (!Stream || !Scoring.HasAdapter));
        bool fromAdapted = View != GenerationView.Base && Scoring.HasAdapter;
        if ((fromBase && !TryGenerate(item, ids, null, out inBase)) || (fromAdapted && !TryGenerate(item, ids, adapter, out adapted)))
        {
            return;
        }

        if (!Stream)
        {
            Write(new AdapterGeneration(Origin(item, adapter))
            {
                Prompt = prompt,
                PromptTokenCount = ids.Length,
                Base = inBase,
                Adapted = adapted,
            });
        }
    }

    private bool TryGenerate(MeasureItem item, int[] ids, string? adapter, out GeneratedText? text)
    {
        text = null;
        Progress.Begin(MaxTokens);
        var made = new List<int>();
        StreamDecoder? decoder = Stream && Encoder.HasTokenizer ? Encoder.Tokenizer.CreateStreamDecoder(skipSpecial: true) : null;
        using IEnumerator<int> tokens = NextToken.Stream(Scoring, ids, adapter is not null, _settings, StopToken).GetEnumerator();
        while (true)
        {
            // Only the next token is made here: writing it may end the pipeline, which must not look like a failure.
            if (Attempt(item.Target, tokens.MoveNext, out bool more) is { } error)
            {
                WriteError(item.Label(error));
                return false;
            }

            if (!more)
            {
                break;
            }

            made.Add(tokens.Current);
            Progress.Report(made.Count);
            if (Stream)
            {
                WriteToken(item, tokens.Current, decoder?.Add(tokens.Current) ?? "", adapter);
            }
        }

        if (decoder?.Finish() is { Length: > 0 } rest)
        {
            WriteToken(item, made[^1], rest, adapter);
        }

        GenerationEnd end = made.Count > 0 && _settings.EndTokens.Contains(made[^1]) ? GenerationEnd.EndToken : GenerationEnd.MaxTokens;
        text = new GeneratedText(Stream ? null : Encoder.Decode(made), [.. made], end);
        return true;
    }

    private void WriteToken(MeasureItem item, int id, string text, string? adapter) => Write(new GeneratedToken(
        item.Id, adapter is null ? GenerationView.Base : GenerationView.Adapted, id, text, adapter));
}
