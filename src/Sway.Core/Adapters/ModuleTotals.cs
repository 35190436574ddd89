using Sway.Architectures;

namespace Sway.Adapters;

/// <summary>
/// What the modules of an adapter have together. Written as loops over plain arrays: to look at an adapter takes a few milliseconds,
/// and queries over numbers would be compiled anew in each process.
/// </summary>
internal sealed class ModuleTotals
{
    public ModuleTotals(IReadOnlyList<LoraModule> modules)
    {
        int[] ranks = new int[modules.Count], layers = new int[modules.Count];
        double[] scalings = new double[modules.Count];
        var targets = new List<string>();
        int rankCount = 0, scalingCount = 0;
        foreach (LoraModule module in modules)
        {
            rankCount = Insert(ranks, rankCount, module.Rank);
            scalingCount = Insert(scalings, scalingCount, module.Scaling);
            if (ModulePath.TrySplitLayer(module.Path, out int layer, out _))
            {
                LayerCount = Insert(layers, LayerCount, layer);
            }

            string target = module.ParameterName ?? module.Path[(module.Path.LastIndexOf('.') + 1)..];
            if (!targets.Contains(target))
            {
                targets.Add(target);
            }

            Parameters += module.A.ElementCount + module.B.ElementCount + (module.Magnitude?.ElementCount ?? 0);
        }

        targets.Sort(StringComparer.Ordinal);
        TargetModules = targets;
        Ranks = new int[rankCount];
        Array.Copy(ranks, Ranks, rankCount);
        Scalings = new double[scalingCount];
        Array.Copy(scalings, Scalings, scalingCount);
    }

    /// <summary>The distinct ranks, ascending.</summary>
    public int[] Ranks { get; }

    /// <summary>The distinct scalings, ascending.</summary>
    public double[] Scalings { get; }

    /// <summary>The distinct last names of the modules.</summary>
    public IReadOnlyList<string> TargetModules { get; }

    /// <summary>The number of layers with a module.</summary>
    public int LayerCount { get; }

    /// <summary>The elements of all factors and magnitudes.</summary>
    public long Parameters { get; }

    private static int Insert(int[] sorted, int count, int value)
    {
        int at = 0;
        while (at < count && sorted[at] < value)
        {
            at++;
        }

        if (at < count && sorted[at] == value)
        {
            return count;
        }

        for (int i = count; i > at; i--)
        {
            sorted[i] = sorted[i - 1];
        }

        sorted[at] = value;
        return count + 1;
    }

    private static int Insert(double[] sorted, int count, double value)
    {
        int at = 0;
        while (at < count && sorted[at].CompareTo(value) < 0)
        {
            at++;
        }

        if (at < count && sorted[at].Equals(value))
        {
            return count;
        }

        for (int i = count; i > at; i--)
        {
            sorted[i] = sorted[i - 1];
        }

        sorted[at] = value;
        return count + 1;
    }
}
