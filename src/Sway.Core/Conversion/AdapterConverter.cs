using Sway.IO;

namespace Sway.Conversion;

/// <summary>Converts adapters: exactly, or with one error that lists every reason and nothing written.</summary>
public static class AdapterConverter
{
    /// <summary>Makes the plan from headers alone. Dispose it to close the source.</summary>
    public static ConversionPlan Plan(string path, ConversionOptions options, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException("Arrives with the readers.");

    /// <summary>Plans, writes the output folder atomically, and verifies it where asked.</summary>
    /// <param name="path">The source adapter.</param>
    /// <param name="destination">The output folder itself.</param>
    /// <param name="options">Choices.</param>
    /// <param name="progress">Gets bytes written and in all.</param>
    /// <param name="cancellationToken">Stops between tiles and removes what was written.</param>
    /// <exception cref="Adapters.ConversionRefusedException">The result would not be exact.</exception>
    /// <exception cref="OutputException">The output exists, or is the source.</exception>
    public static AdapterConversionResult Convert(
        string path,
        string destination,
        ConversionOptions options,
        IProgress<ByteProgress>? progress = null,
        CancellationToken cancellationToken = default) => throw new NotSupportedException("Arrives with the readers.");
}
