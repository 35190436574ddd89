using Sway.Tensors;

namespace Sway.Adapters.Peft;

/// <summary>The tensors of one module, by role, and what is needed to make sense of them.</summary>
/// <param name="Path">The module's path.</param>
/// <param name="Group">Its tensors: by <see cref="PeftRole"/>, LoHa's by their own names.</param>
/// <param name="File">The file that holds them.</param>
/// <param name="Config">The adapter's configuration.</param>
/// <param name="Refusals">Gets everything that does not fit.</param>
internal sealed record PeftModuleTensors(string Path, Dictionary<string, TensorInfo> Group, TensorFile File, PeftConfig Config, RefusalList Refusals)
{
    public const string NoMagnitude = "The configuration says DoRA, but modules lack their magnitude.";

    public string[] Names
    {
        get
        {
            string[] names = new string[Group.Count];
            int i = 0;
            foreach (TensorInfo tensor in Group.Values)
            {
                names[i++] = tensor.Name;
            }

            return names;
        }
    }

    /// <summary>Both factors; false, with a refusal, when one is missing.</summary>
    public bool TryPair(PeftRole first, PeftRole second, out TensorInfo a, out TensorInfo b)
    {
        bool hasA = Group.TryGetValue(first.Key(), out TensorInfo? one);
        bool hasB = Group.TryGetValue(second.Key(), out TensorInfo? two);
        (a, b) = (one!, two!);
        if (hasA && hasB)
        {
            return true;
        }

        Refusals.Add(RefusalCategory.MissingPair, "Modules have only one of their two factors.", Names.FirstOrDefault() ?? Path);
        return false;
    }

    /// <summary>True when the module has tensors of these roles only; anything else is refused, since nothing would use it.</summary>
    public bool HasOnly(params string[] roles)
    {
        var foreign = new List<string>();
        foreach (KeyValuePair<string, TensorInfo> entry in Group)
        {
            if (Array.IndexOf(roles, entry.Key) < 0)
            {
                foreign.Add(entry.Value.Name);
            }
        }

        if (foreign.Count == 0)
        {
            return true;
        }

        Refusals.Add(RefusalCategory.UnknownTensor, $"Tensors have no meaning beside the others of their module in an adapter of the method {Config.PeftType}.", foreign);
        return false;
    }

    private static bool IsOneOf(int rank, ReadOnlySpan<int> configured)
    {
        foreach (int one in configured)
        {
            if (one == rank)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>True when the first factor has one of the ranks that the configuration gives it.</summary>
    public bool CheckRank(TensorInfo a, params ReadOnlySpan<int> configured)
    {
        if (a.Sizes[0] <= int.MaxValue && IsOneOf((int)a.Sizes[0], configured))
        {
            return true;
        }

        RefusalCategory category = a.ElementCount == 0 ? RefusalCategory.ShapeMismatch : RefusalCategory.RankMismatch;
        Refusals.Add(category, $"{Path} has rank {a.Sizes[0]} in the tensors and {configured[0]} in the configuration; PEFT itself cannot load this.", a.Name);
        return false;
    }
}
