namespace Sway.Cli;

/// <summary>Options that parse one by one but not together; the process ends with <see cref="ExitCode.Usage"/>.</summary>
internal sealed class UsageException(string message) : Exception(message);
