using System.Text;

namespace Sway.Cli.Output;

/// <summary>The console's error stream, opened when the first message is written: most runs have none.</summary>
internal sealed class StandardError : TextWriter
{
    /// <inheritdoc/>
    public override Encoding Encoding => Console.Error.Encoding;

    /// <inheritdoc/>
    public override void Write(char value) => Console.Error.Write(value);

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Console.Error.Write(buffer, index, count);

    /// <inheritdoc/>
    public override void Write(string? value) => Console.Error.Write(value);

    /// <inheritdoc/>
    public override void WriteLine(string? value) => Console.Error.WriteLine(value);
}
