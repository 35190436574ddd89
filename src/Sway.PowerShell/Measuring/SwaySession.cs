using Sway.Inference;
using Sway.Scoring;

namespace Sway.PowerShell.Measuring;

/// <summary>Whether a session can be used.</summary>
public enum SwaySessionState
{
    /// <summary>It can.</summary>
    Open,

    /// <summary>It was removed.</summary>
    Closed,
}

/// <summary>
/// A base model, with or without an adapter, that stays loaded for many measurements. Runspaces may share it: measurements queue, and a
/// measurement that has begun ends with right numbers even when the session is removed meanwhile.
/// </summary>
public sealed class SwaySession : IDisposable
{
    private readonly Lock _lock = new();
    private readonly ScoringSession _scoring;
    private readonly PromptEncoder _encoder;
    private int _uses;
    private bool _closed;

    internal SwaySession(int id, string name, ScoringSession scoring, double strength, PrecisionChoice precision)
    {
        Id = id;
        Name = name;
        _scoring = scoring;
        _encoder = new PromptEncoder(scoring.ModelPath, scoring.Config, BosMode.Auto);
        Model = scoring.ModelPath;
        ModelType = scoring.Config.ModelType;
        Adapter = scoring.AdapterPath;
        Strength = strength;
        Precision = precision;
        Backend = scoring.Backend;
        VocabularySize = scoring.VocabularySize;
        MaxPositions = scoring.MaxPositions;
    }

    /// <summary>Its number in the runspace that opened it.</summary>
    public int Id { get; }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>The base model's folder.</summary>
    public string Model { get; }

    /// <summary>The architecture, as config.json names it.</summary>
    public string ModelType { get; }

    /// <summary>The adapter's path, or null.</summary>
    public string? Adapter { get; }

    /// <summary>Strength of the adapter in the adapted view.</summary>
    public double Strength { get; }

    /// <summary>The arithmetic.</summary>
    public PrecisionChoice Precision { get; }

    /// <summary>The engine that computes.</summary>
    public string Backend { get; }

    /// <summary>Number of tokens in the vocabulary.</summary>
    public int VocabularySize { get; }

    /// <summary>The longest sequence the model was made for, in tokens.</summary>
    public int MaxPositions { get; }

    /// <summary>What it has done so far: items, tokens, forward passes, cache hits, time.</summary>
    public ScoringStatistics Statistics => _scoring.Statistics;

    /// <summary>Whether it can be used.</summary>
    public SwaySessionState State
    {
        get
        {
            lock (_lock)
            {
                return _closed ? SwaySessionState.Closed : SwaySessionState.Open;
            }
        }
    }

    /// <summary>Closes the session for new measurements; the model is freed when those that have begun are done.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_closed)
            {
                return;
            }

            _closed = true;
            if (_uses > 0)
            {
                return;
            }
        }

        _scoring.Dispose();
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>Takes the session for one pipeline; null when it is closed.</summary>
    internal SessionUse? Use()
    {
        lock (_lock)
        {
            if (_closed)
            {
                return null;
            }

            _uses++;
            return new SessionUse(_scoring, _encoder, Strength, Precision, Release);
        }
    }

    private void Release()
    {
        lock (_lock)
        {
            _uses--;
            if (!_closed || _uses > 0)
            {
                return;
            }
        }

        _scoring.Dispose();
    }
}
