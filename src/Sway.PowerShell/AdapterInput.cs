namespace Sway.PowerShell;

/// <summary>One adapter that a user named.</summary>
/// <param name="FullName">Its absolute path.</param>
/// <param name="IsOneOfSeveral">True when the way it was named can name several: the pipeline, a wildcard, a list.</param>
internal sealed record AdapterInput(string FullName, bool IsOneOfSeveral);
