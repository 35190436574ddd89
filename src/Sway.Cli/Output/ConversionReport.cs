using System.Globalization;
using Sway.Conversion;

namespace Sway.Cli.Output;

/// <summary>A conversion in a few lines for people.</summary>
internal static class ConversionReport
{
    /// <summary>Writes one headline, and below it what a user should know.</summary>
    internal static void Write(CommandOutput output, AdapterConversionResult result, bool planned)
    {
        string verb = planned ? "would be written to" : "->";
        output.Line($"{Format.Path(result.Source)} {verb} {Format.Path(result.FullName)}");
        string modules = string.Create(
            CultureInfo.InvariantCulture,
            $"{result.Method}, rank {result.Rank}, scale {Format.Number(result.Scale)}, {result.ModuleCount} modules in {result.NumLayers} layers, ");
        string cost = planned ? "" : result.FromCache ? $", {Format.Bytes(result.WrittenBytes)} from the cache in {Format.Seconds(result.Seconds)}" : $", {Format.Bytes(result.WrittenBytes)} in {Format.Seconds(result.Seconds)}";
        output.Line($"  {modules}{Format.List(result.DTypes)}{cost}");
        if (result.Baked)
        {
            output.Line("  ranks or scales differ between modules: padded with zeros and multiplied into the tensors");
        }

        if (result.BaseModel is not null)
        {
            output.Line($"  base model: {Format.Path(result.BaseModel)} ({result.BaseSource})");
        }

        Lines(output, "loads in", result.LoadsIn);
        Lines(output, "left out", result.LeftOut);
        Lines(output, "loss", result.Losses);
        Lines(output, "warning", result.Warnings);
        if (result.VerifiedDifference is { } difference)
        {
            output.Line("  verified: " + Verdict(difference));
        }
    }

    /// <summary>What verifying found, in words.</summary>
    internal static string Verdict(double difference) => difference == 0
        ? "every delta equals the source's bit for bit"
        : $"largest relative difference of a delta: {Format.Difference(difference)}";

    private static void Lines(CommandOutput output, string title, IReadOnlyList<string> texts)
    {
        foreach (string text in texts)
        {
            output.Line($"  {title}: {text}");
        }
    }
}
