using System.Collections.Frozen;
using System.Globalization;

namespace Sway.Architectures;

/// <summary>The maps of all architectures, read once from the table that is compiled into the assembly.</summary>
public static class ModuleMaps
{
    private static readonly Lazy<FrozenDictionary<string, ModuleMap>> s_maps = new(() => Parse(ReadTable()));

    /// <summary>The model types that have a map.</summary>
    public static IEnumerable<string> ModelTypes => s_maps.Value.Keys;

    /// <summary>Finds the map of a model type, or of a variant of it (<c>type@variant</c>).</summary>
    public static ModuleMap? Find(string modelType) => s_maps.Value.GetValueOrDefault(modelType);

    internal static FrozenDictionary<string, ModuleMap> Parse(string table)
    {
        var maps = new Dictionary<string, ModuleMap>(StringComparer.Ordinal);
        string[] names = [];
        string[] flags = [];
        var rules = new List<ModuleRule>();
        foreach (string line in table.Split('\n').Append("[]"))
        {
            string text = line.Trim();
            if (text.Length == 0 || text[0] == '#')
            {
                continue;
            }

            if (text[0] != '[')
            {
                rules.AddRange(ParseRules(text));
                continue;
            }

            ModuleRule[] shared = [.. rules];
            foreach (string name in names)
            {
                bool? tied = flags.Contains("tied", StringComparer.Ordinal) ? true : flags.Contains("untied", StringComparer.Ordinal) ? false : null;
                maps.Add(name, new ModuleMap(name, shared, tied, !flags.Contains("unloadable", StringComparer.Ordinal)));
            }

            int end = text.IndexOf(']');
            names = text[1..end].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            flags = text[(end + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            rules.Clear();
        }

        return maps.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private static IEnumerable<ModuleRule> ParseRules(string text)
    {
        int bang = text.IndexOf(" ! ", StringComparison.Ordinal);
        if (bang > 0)
        {
            return Alternatives(text[..bang].Trim()).Select(path => new ModuleRule { HuggingFacePath = path.Full, Unmappable = text[(bang + 3)..].Trim() });
        }

        string[] halves = text.Split('|');
        string[] sides = halves[0].Split('>', StringSplitOptions.TrimEntries);
        string[] words = halves.Length > 1 ? halves[1].Split(' ', StringSplitOptions.RemoveEmptyEntries) : [];
        return Alternatives(sides[0].TrimEnd(' ', '=')).Select(path => words.Aggregate(
            new ModuleRule
            {
                HuggingFacePath = path.Full,
                MlxPath = sides.Length > 1 ? sides[1].Replace("{}", path.Choice, StringComparison.Ordinal) : path.Full,
            },
            Apply));
    }

    private static ModuleRule Apply(ModuleRule rule, string word) => word switch
    {
        "embedding" => rule with { IsEmbedding = true },
        "conv1d" => rule with { IsConv1D = true },
        "parameter" => rule with { IsParameter = true },
        "expert" => rule with { IsPerExpert = true },
        "mup" => rule with { HasMultipliers = true },
        "experts(out,in)" => rule with { Layout = ExpertLayout.OutIn },
        "experts(in,out)" => rule with { Layout = ExpertLayout.InOut },
        "experts(in,out)T" => rule with { Layout = ExpertLayout.InOut, MarkedTransposed = true },
        "@4" => rule with { TransformersVersion = 4 },
        "@5" => rule with { TransformersVersion = 5 },
        _ when word.StartsWith("part:", StringComparison.Ordinal) => rule with { Rows = ParsePart(word[5..], interleaved: false) },
        _ when word.StartsWith("every:", StringComparison.Ordinal) => rule with { Rows = ParsePart(word[6..], interleaved: true) },
        _ => throw new FormatException($"The module map has the unknown word {word}."),
    };

    private static RowPart ParsePart(string text, bool interleaved)
    {
        string[] numbers = text.Split('/');
        return new RowPart(
            int.Parse(numbers[0], CultureInfo.InvariantCulture), int.Parse(numbers[1], CultureInfo.InvariantCulture), interleaved);
    }

    private static IEnumerable<(string Full, string Choice)> Alternatives(string path)
    {
        int open = path.IndexOf('{');
        int close = path.IndexOf('}');
        return open < 0
            ? [(path, "")]
            : path[(open + 1)..close].Split(',').Select(choice => (path[..open] + choice + path[(close + 1)..], choice));
    }

    private static string ReadTable()
    {
        using Stream stream = typeof(ModuleMaps).Assembly.GetManifestResourceStream("Sway.ModuleMaps")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
