using System.ComponentModel;
using System.Diagnostics;
using System.Management.Automation;
using Sway.Scoring;

namespace Sway.PowerShell.Measuring;

/// <summary>
/// Base of the cmdlets that score sequences: items are gathered until they fill a wave, so that the engine runs them together; results
/// keep the order of the items and do not depend on the gathering.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class WaveCommand : MeasureCommand
{
    private const int WaveTokens = 2048;
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(500);

    private readonly List<Pending> _pending = [];
    private readonly Stopwatch _oldest = new();
    private int _tokens;

    /// <summary>Show each token.</summary>
    [Parameter]
    public SwitchParameter Detailed { get; set; }

    /// <inheritdoc/>
    private protected override bool IsDetailed => Detailed;

    /// <summary>Whether divergences are wanted.</summary>
    private protected abstract bool WantsDivergence { get; }

    /// <summary>What is to be scored of an item, and how its result is made.</summary>
    /// <exception cref="SwayException">The item cannot be scored.</exception>
    private protected abstract IEnumerable<Pending> Prepare(MeasureItem item);

    /// <inheritdoc/>
    private protected sealed override void Accept(MeasureItem item)
    {
        if (Attempt(item.Target, () => Prepare(item).ToList(), out List<Pending> prepared) is { } error)
        {
            WriteError(item.Label(error));
            return;
        }

        if (_pending.Count == 0)
        {
            _oldest.Restart();
        }

        _pending.AddRange(prepared);
        _tokens += prepared.Sum(one => one.Tokens);

        // A slow producer gets its results although the wave is not full.
        if (_tokens >= WaveTokens || _oldest.Elapsed > s_patience)
        {
            Flush();
        }
    }

    /// <inheritdoc/>
    private protected sealed override void Flush()
    {
        if (_pending.Count == 0)
        {
            return;
        }

        Pending[] wave = [.. _pending];
        _pending.Clear();
        _tokens = 0;
        IReadOnlyList<string?> adapters = Adapters;
        var outcomes = new Outcome[adapters.Count][];
        for (int a = 0; a < adapters.Count; a++)
        {
            outcomes[a] = Select(adapters[a]) ? Score(wave) : [];
        }

        for (int i = 0; i < wave.Length; i++)
        {
            Progress.Items++;
            for (int a = 0; a < adapters.Count; a++)
            {
                if (outcomes[a].Length > 0)
                {
                    Write(wave[i], outcomes[a][i], adapters[a]);
                }
            }
        }
    }

    private void Write(Pending pending, Outcome outcome, string? adapter)
    {
        if (outcome.Error is { } error)
        {
            WriteError(error);
        }
        else
        {
            Write(pending.Result(outcome.Scores!, adapter));
        }
    }

    private Outcome[] Score(Pending[] wave)
    {
        Progress.Begin(wave.Sum(one => (long)one.Tokens));
        ErrorRecord? error = Attempt(wave[0].Item.Target, () => ScoreTogether(wave), out Outcome[] outcomes);
        return error is null ? outcomes : [.. wave.Select(one => new Outcome(null, one.Item.Label(error)))];
    }

    private Outcome[] ScoreTogether(Pending[] wave) =>
    [
        .. Scoring.ScoreGroups(wave, one => one.Sequences, WantsDivergence, Progress, StopToken).Select(scored => scored.Error is { } error
            ? new Outcome(null, scored.Item.Item.Label(ErrorRecords.Of(error, scored.Item.Item.Target)))
            : new Outcome(scored.Scores, null)),
    ];

    /// <summary>An item that waits for its wave.</summary>
    private protected sealed record Pending(
        MeasureItem Item, IReadOnlyList<TokenSequence> Sequences, Func<IReadOnlyList<SequenceScore>, string?, object> Result)
    {
        internal int Tokens { get; } = Sequences.Sum(sequence => sequence.Ids.Count);
    }

    private sealed record Outcome(IReadOnlyList<SequenceScore>? Scores, ErrorRecord? Error);
}
