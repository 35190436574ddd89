namespace Sway;

/// <summary>The root of every error that Sway raises on purpose. Front ends turn it into one line or one ErrorRecord.</summary>
public abstract class SwayException : Exception
{
    private protected SwayException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>The file or folder at fault, when there is one.</summary>
    public string? Path { get; init; }

    /// <summary>The tensors at fault, by the names the file gives them; empty when none is.</summary>
    public IReadOnlyList<string> Tensors { get; init; } = [];

    /// <summary>The byte offset in <see cref="Path"/> at which the file is wrong, when that is known.</summary>
    public long? Offset { get; init; }

    /// <summary>A stable name of the kind of error, for scripts (for example <c>AdapterFormat</c>).</summary>
    public abstract string Category { get; }

    /// <summary>What to try next: a command, a parameter or a file, in one sentence.</summary>
    [System.Diagnostics.CodeAnalysis.AllowNull]
    public string Remedy
    {
        get => field ?? DefaultRemedy;
        init;
    }

    /// <summary>What to try where the error itself does not say it better.</summary>
    private protected virtual string DefaultRemedy => "Run sway doctor --self-test, which shows what works on this machine.";
}
