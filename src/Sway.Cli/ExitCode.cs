namespace Sway.Cli;

/// <summary>What the process returns.</summary>
internal static class ExitCode
{
    /// <summary>Everything was done.</summary>
    internal const int Done = 0;

    /// <summary>At least one item failed or was refused; the others are done.</summary>
    internal const int Failed = 1;

    /// <summary>The command line is wrong; nothing was done.</summary>
    internal const int Usage = 2;

    /// <summary>The user stopped it (128 + SIGINT, as shells expect).</summary>
    internal const int Stopped = 130;
}
