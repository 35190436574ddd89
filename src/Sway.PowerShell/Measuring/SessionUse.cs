using Sway.Inference;
using Sway.Scoring;

namespace Sway.PowerShell.Measuring;

/// <summary>What one pipeline measures with, until it is disposed.</summary>
internal sealed class SessionUse(
    ScoringSession scoring, PromptEncoder encoder, double strength, PrecisionChoice precision, Action release) : IDisposable
{
    private Action? _release = release;

    /// <summary>The loaded model.</summary>
    internal ScoringSession Scoring { get; } = scoring;

    /// <summary>Its tokenizer.</summary>
    internal PromptEncoder Encoder { get; } = encoder;

    /// <summary>Strength of the adapter in the adapted view.</summary>
    internal double Strength { get; } = strength;

    /// <summary>The arithmetic.</summary>
    internal PrecisionChoice Precision { get; } = precision;

    /// <inheritdoc/>
    public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke();
}
