using System.Text;

namespace Sway.Adapters;

/// <summary>An adapter cannot be converted or used exactly; nothing was written.</summary>
public sealed class ConversionRefusedException : SwayException
{
    /// <summary>Joins all reasons to one message.</summary>
    public ConversionRefusedException(string path, IReadOnlyList<Refusal> refusals)
        : base(Describe(path, refusals))
    {
        Path = path;
        Refusals = refusals;
        Tensors = [.. refusals.SelectMany(refusal => refusal.Modules).Distinct(StringComparer.Ordinal)];
        Remedy = refusals[0].Remedy;
    }

    /// <summary>All reasons, the first found first.</summary>
    public IReadOnlyList<Refusal> Refusals { get; }

    /// <summary>The category of the first reason.</summary>
    public override string Category => Refusals[0].Category.ToString();

    private protected override string DefaultRemedy => Refusals[0].Remedy;

    private static string Describe(string path, IReadOnlyList<Refusal> refusals)
    {
        const int Shown = 6;
        var text = new StringBuilder($"{path} is refused: ");
        for (int i = 0; i < refusals.Count; i++)
        {
            Refusal refusal = refusals[i];
            text.Append(i == 0 ? "" : " | ").Append('[').Append(refusal.Category).Append("] ").Append(refusal.Reason);
            if (refusal.Modules.Count > 0)
            {
                text.Append(" (").AppendJoin(", ", refusal.Modules.Take(Shown));
                text.Append(refusal.Modules.Count > Shown ? $" and {refusal.Modules.Count - Shown} more)" : ")");
            }

            // One remedy for several reasons is told once, after the last of them.
            if (!refusals.Skip(i + 1).Any(later => later.Remedy == refusal.Remedy))
            {
                text.Append(" Remedy: ").Append(refusal.Remedy);
            }
        }

        return text.ToString();
    }
}
