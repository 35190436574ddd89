namespace Sway.Tokenization.Patterns;

/// <summary>A regular expression that cannot be read; the loader turns it into the tokenizer's error.</summary>
#pragma warning disable CA1064 // Never leaves the assembly.
internal sealed class RegexSyntaxException(string message) : Exception(message);
#pragma warning restore CA1064
