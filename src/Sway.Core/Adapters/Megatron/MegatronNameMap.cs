using System.Globalization;
using System.Text.RegularExpressions;

namespace Sway.Adapters.Megatron;

/// <summary>How the output rows of a Megatron layer are made up of Hugging Face layers.</summary>
internal enum RowRule
{
    Same,
    Gated,
    Qkv,
    QkvJoined,
    Gdn,
    GdnGrouped,
    Mamba,
    Refused,
}

/// <summary>What a Megatron layer is called in Hugging Face models.</summary>
/// <param name="Rule">How its rows are split.</param>
/// <param name="Names">The Hugging Face paths with layer and expert numbers filled in; for a refused rule, why.</param>
internal sealed record MegatronNames(RowRule Rule, IReadOnlyList<string> Names);

/// <summary>The rules of one Hugging Face architecture, from the table embedded in this library.</summary>
internal sealed class MegatronNameMap
{
    private static readonly Lazy<IReadOnlyDictionary<string, MegatronNameMap>> s_maps = new(ReadTable);

    private readonly List<(Regex Pattern, RowRule Rule, string[] Names)> _rules = [];

    private MegatronNameMap()
    {
    }

    /// <summary>The architectures that the table knows.</summary>
    public static IEnumerable<string> Architectures => s_maps.Value.Keys;

    /// <summary>The map of an architecture, as config.json names it; null when it is unknown.</summary>
    public static MegatronNameMap? ForArchitecture(string architecture) => s_maps.Value.GetValueOrDefault(architecture);

    /// <summary>Finds the names of a layer; experts are numbered like layers: <c>...mlp.experts.3.linear_fc1</c>.</summary>
    public MegatronNames? Find(string path)
    {
        foreach ((Regex pattern, RowRule rule, string[] names) in _rules)
        {
            if (pattern.Match(path) is { Success: true } match)
            {
                string[] numbers = [.. match.Groups.Values.Skip(1).Select(group => group.Value)];
                return new MegatronNames(rule, rule == RowRule.Refused ? names : [.. names.Select(name => Fill(name, numbers))]);
            }
        }

        return null;
    }

    private static string Fill(string pattern, string[] numbers)
    {
        string[] parts = pattern.Split('*');
        return string.Concat(parts.Select((part, i) => i < parts.Length - 1 ? part + numbers[i] : part));
    }

    private static Dictionary<string, MegatronNameMap> ReadTable()
    {
        using Stream stream = typeof(MegatronNameMap).Assembly.GetManifestResourceStream("Sway.Adapters.Megatron.megatron_names.txt")
            ?? throw new InvalidOperationException("The table of Megatron names is not in the assembly.");
        using var reader = new StreamReader(stream);
        var maps = new Dictionary<string, MegatronNameMap>(StringComparer.Ordinal);
        var current = new MegatronNameMap();
        while (reader.ReadLine() is { } line)
        {
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (line[0] != ' ')
            {
                current = new MegatronNameMap();
                foreach (string architecture in words)
                {
                    maps.Add(architecture, current);
                }
            }
            else
            {
                string pattern = "^" + Regex.Escape(words[1]).Replace("\\*", "([0-9]+)", StringComparison.Ordinal) + "$";
                current._rules.Add((new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking), ReadRule(words[0]), Expand(words[2])));
            }
        }

        return maps;
    }

    private static RowRule ReadRule(string word) => word switch
    {
        "same" => RowRule.Same,
        "gated" => RowRule.Gated,
        "qkv" => RowRule.Qkv,
        "qkv-joined" => RowRule.QkvJoined,
        "gdn" => RowRule.Gdn,
        "gdn-grouped" => RowRule.GdnGrouped,
        "mamba" => RowRule.Mamba,
        "refused" => RowRule.Refused,
        _ => throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"The table of Megatron names has the rule {word}.")),
    };

    // a.{b,c} stands for a.b and a.c.
    private static string[] Expand(string names)
    {
        int brace = names.IndexOf('{', StringComparison.Ordinal);
        return brace < 0 ? [names] : [.. names[(brace + 1)..^1].Split(',').Select(name => names[..brace] + name)];
    }
}
