namespace Sway;

/// <summary>A file's bytes or its configuration are not what its format demands.</summary>
public sealed class AdapterFormatException(string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <inheritdoc/>
    public override string Category => "AdapterFormat";

    private protected override string DefaultRemedy => "Download or export the file again; its size or checksum at the source shows whether it is whole.";
}

/// <summary>A base model cannot be computed: an unknown architecture or an unknown value of a field that changes numbers.</summary>
public sealed class UnsupportedModelException(string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <inheritdoc/>
    public override string Category => "UnsupportedModel";

    private protected override string DefaultRemedy => "Compare the model's config.json with the original; sway doctor lists the architectures that are computed.";
}

/// <summary>A base model's folder lacks a file, or its configuration is not one.</summary>
public sealed class ModelFormatException(string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <inheritdoc/>
    public override string Category => "ModelFormat";

    private protected override string DefaultRemedy => "Name the folder that holds the base model's config.json and safetensors weights, whole and as they were published.";
}

/// <summary>A tokenizer cannot be read, or a text cannot be tokenized as asked.</summary>
public sealed class TokenizationException(string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <inheritdoc/>
    public override string Category => "Tokenization";

    private protected override string DefaultRemedy => "Take tokenizer.json and tokenizer_config.json from the model's repository again.";
}

/// <summary>A native library is missing, cannot be loaded, or reported an error.</summary>
public sealed class NativeLibraryException(string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <inheritdoc/>
    public override string Category => "NativeLibrary";

    private protected override string DefaultRemedy => "Use the CPU engine (-Backend Cpu, --backend cpu); sway doctor says where the library was looked for.";
}

/// <summary>A measurement cannot be made: non-finite numbers, an empty prompt without a start token, and the like.</summary>
public sealed class ScoringException(string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <inheritdoc/>
    public override string Category => "Scoring";

    private protected override string DefaultRemedy => "Check the prompt and the weights: Test-LoraAdapter (sway test) finds numbers that are not finite.";
}

/// <summary>What is to be measured cannot be read: a broken line of an input file, an item that lacks its text, a file that is no text.</summary>
public sealed class InputException(string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <inheritdoc/>
    public override string Category => "Input";

    private protected override string DefaultRemedy => "Correct the item; the help of the command lists the fields that it reads.";
}

/// <summary>Why an output cannot be written.</summary>
public enum OutputErrorKind
{
    /// <summary>No folder can be made of that name.</summary>
    Invalid,

    /// <summary>Something lies there already.</summary>
    Exists,

    /// <summary>The output is what is to be read, or holds it.</summary>
    IsSource,
}

/// <summary>An output cannot be written: it exists already, or lies where the input lies.</summary>
public sealed class OutputException(OutputErrorKind kind, string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <summary>Why.</summary>
    public OutputErrorKind Kind => kind;

    /// <inheritdoc/>
    public override string Category => "Output";

    private protected override string DefaultRemedy => kind == OutputErrorKind.Exists
        ? "Use -Force (--force) to replace it."
        : "Name another folder with -Destination (--destination).";
}

/// <summary>The cache cannot serve: a setting is wrong, or a file changes while it is read.</summary>
public sealed class CacheException(string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <inheritdoc/>
    public override string Category => "Cache";

    private protected override string DefaultRemedy => "Use --no-cache, or remove what is damaged with Clear-SwayCache (sway cache clear).";
}
