using System.Globalization;

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

    private readonly List<(string[] Pattern, RowRule Rule, string[] Names)> _rules = [];

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
        foreach ((string[] pattern, RowRule rule, string[] names) in _rules)
        {
            if (Match(pattern, path) is { } numbers)
            {
                return new MegatronNames(rule, rule == RowRule.Refused ? names : [.. names.Select(name => Fill(name, numbers))]);
            }
        }

        return null;
    }

    /// <summary>The numbers in the places of the stars, or null. Regular expressions would take seconds to build for the whole table.</summary>
    private static string[]? Match(string[] pattern, string path)
    {
        if (!path.StartsWith(pattern[0], StringComparison.Ordinal))
        {
            return null;
        }

        string[] numbers = new string[pattern.Length - 1];
        ReadOnlySpan<char> rest = path.AsSpan(pattern[0].Length);
        for (int i = 0; i < numbers.Length; i++)
        {
            int digits = rest.IndexOfAnyExceptInRange('0', '9');
            digits = digits < 0 ? rest.Length : digits;
            if (digits == 0 || !rest[digits..].StartsWith(pattern[i + 1], StringComparison.Ordinal))
            {
                return null;
            }

            numbers[i] = rest[..digits].ToString();
            rest = rest[(digits + pattern[i + 1].Length)..];
        }

        return rest.IsEmpty ? numbers : null;
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
                current._rules.Add((words[1].Split('*'), ReadRule(words[0]), Expand(words[2])));
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
