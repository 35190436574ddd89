using System.Text.Json.Nodes;
using Sway.Cli.Output;
using Sway.Inference;
using Sway.Scoring;

namespace Sway.Cli.Commands.Measuring;

/// <summary>One pass over the items: a loaded model with one adapter, or alone.</summary>
/// <param name="Context">Where results go.</param>
/// <param name="Session">The model.</param>
/// <param name="Adapter">The adapter as it was named, or null.</param>
/// <param name="IsOneOfSeveral">Whether results of other adapters stand beside this one's, so that people need its name.</param>
/// <param name="Strength">Strength of the adapter.</param>
/// <param name="Precision">The arithmetic.</param>
internal sealed record MeasureRun(
    CommandContext Context, ScoringSession Session, string? Adapter, bool IsOneOfSeveral, double Strength, PrecisionChoice Precision)
{
    /// <summary>The beginning of an item's line of JSON: what was measured.</summary>
    internal JsonObject Begin(string id)
    {
        var line = new JsonObject { ["id"] = id };
        if (Adapter is not null)
        {
            line["adapter"] = Adapter;
        }

        return line;
    }

    /// <summary>Ends the line with how it was measured, and writes it.</summary>
    internal void Write(JsonObject line)
    {
        line["backend"] = Session.Backend;
        line["strength"] = Strength;
        line["precision"] = Precision.ToString();
        Context.Output.Writer.WriteLine(MeasureLine.Text(line));
        Context.Output.Writer.Flush();
    }

    /// <summary>What people read in front of an item's numbers.</summary>
    internal string Label(string id) => IsOneOfSeveral ? $"{id} {Adapter}" : id;

    /// <summary>Measures items one by one; a failing one is reported and the next one follows.</summary>
    /// <returns>The exit code of the whole.</returns>
    internal int ForEach(IEnumerable<InputItem> items, Action<InputItem> measure) =>
        Context.ForEach(items, measure);

    /// <summary>Writes results that come in order, the failed ones among them as errors.</summary>
    /// <returns>The exit code of the whole.</returns>
    internal int WriteAll<T>(
        Func<IProgress<long>, IEnumerable<T>> measure, Func<T, (InputItem Item, SwayException? Error)> outcome, Action<T> write)
    {
        int code = ExitCode.Done;
        using var progress = new TokenProgress(Context.Output);
        foreach (T result in measure(progress))
        {
            progress.Clear();
            (InputItem item, SwayException? error) = outcome(result);
            if (error is null)
            {
                write(result);
            }
            else
            {
                Context.Output.ItemError(error, item.Id);
                code = ExitCode.Failed;
            }
        }

        return code;
    }
}
