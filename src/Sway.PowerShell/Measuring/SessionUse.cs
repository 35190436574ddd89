using Sway.Scoring;

namespace Sway.PowerShell.Measuring;

/// <summary>What one pipeline measures with, until it is disposed.</summary>
internal sealed class SessionUse(ScoringSession scoring, PromptEncoder encoder, Action release) : IDisposable
{
    private Action? _release = release;

    /// <summary>The loaded model.</summary>
    internal ScoringSession Scoring { get; } = scoring;

    /// <summary>Its tokenizer.</summary>
    internal PromptEncoder Encoder { get; } = encoder;

    /// <inheritdoc/>
    public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke();
}
