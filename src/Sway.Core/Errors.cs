namespace Sway;

/// <summary>A file's bytes or its configuration are not what its format demands.</summary>
public sealed class AdapterFormatException(string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <inheritdoc/>
    public override string Category => "AdapterFormat";
}

/// <summary>A base model cannot be computed: an unknown architecture or an unknown value of a field that changes numbers.</summary>
public sealed class UnsupportedModelException(string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <inheritdoc/>
    public override string Category => "UnsupportedModel";
}

/// <summary>A tokenizer cannot be read, or a text cannot be tokenized as asked.</summary>
public sealed class TokenizationException(string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <inheritdoc/>
    public override string Category => "Tokenization";
}

/// <summary>A native library is missing, cannot be loaded, or reported an error.</summary>
public sealed class NativeLibraryException(string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <inheritdoc/>
    public override string Category => "NativeLibrary";
}

/// <summary>A measurement cannot be made: non-finite numbers, an empty prompt without a start token, and the like.</summary>
public sealed class ScoringException(string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <inheritdoc/>
    public override string Category => "Scoring";
}

/// <summary>An output cannot be written: it exists already, or lies where the input lies.</summary>
public sealed class OutputException(string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <inheritdoc/>
    public override string Category => "Output";
}

/// <summary>The cache cannot serve: a setting is wrong, or a file changes while it is read.</summary>
public sealed class CacheException(string message, Exception? innerException = null)
    : SwayException(message, innerException)
{
    /// <inheritdoc/>
    public override string Category => "Cache";
}
