using System.Text.Json;
using System.Text.RegularExpressions;
using Sway.IO;

namespace Sway.Adapters.Peft;

/// <summary>PEFT's adapter_config.json with PEFT's defaults. Values of a wrong type are errors, never guesses.</summary>
internal sealed class PeftConfig
{
    private const int MaximumRank = 1 << 20;

    private readonly string _path;
    private readonly List<PatternValue> _rankPattern;
    private readonly List<PatternValue> _alphaPattern;

    private PeftConfig(string path, JsonTree root)
    {
        _path = path;
        Root = root;
        PeftType = Text("peft_type")?.ToUpperInvariant();
        bool loha = PeftType == "LOHA";
        Rank = Rankable("r", Number("r") ?? 8);
        Alpha = (loha ? Number("alpha") : Number("lora_alpha")) ?? 8;
        UseRsLora = Flag("use_rslora");
        UseDora = Flag("use_dora");
        Dropout = Number("lora_dropout") ?? 0;
        InitialRank = Rankable("init_r", Number("init_r") ?? 12);
        _rankPattern = PeftType == "ADALORA" ? [] : Patterns("rank_pattern");
        _alphaPattern = Patterns("alpha_pattern");
        if (Dropout is < 0 or > 1)
        {
            throw Bad($"lora_dropout is {Dropout}");
        }
    }

    public JsonTree Root { get; }

    public string? PeftType { get; }

    public int Rank { get; }

    public double Alpha { get; }

    public int InitialRank { get; }

    public bool UseRsLora { get; }

    public bool UseDora { get; }

    public double Dropout { get; }

    public string? BaseModelName => Text("base_model_name_or_path");

    public string? PeftVersion => Text("peft_version");

    public string? TaskType => Text("task_type");

    public static PeftConfig Read(string path)
    {
        try
        {
            JsonTree root = JsonFile.ReadTree(path);
            return root.Kind == JsonKind.Object ? new PeftConfig(path, root) : throw BadFile(path, "it is not a JSON object");
        }
        catch (Exception e) when (IsUnreadable(e))
        {
            throw BadFile(path, e.Message);
        }
    }

    private static bool IsUnreadable(Exception problem) => problem is JsonException or UnauthorizedAccessException;

    /// <summary>The rank of a module by the configuration: the first pattern that matches, in the file's order.</summary>
    public int RankOf(string module) => (int)FirstMatch(_rankPattern, module, Rank);

    /// <summary>The factor on B @ A of a module of a given rank.</summary>
    public double ScalingOf(string module, int rank)
    {
        if (PeftType == "ADALORA")
        {
            // peft/tuners/adalora/layer.py: the divisor is the initial rank, also after pruning.
            return (Alpha > 0 ? Alpha : rank) / (InitialRank + 1e-5);
        }

        double alpha = FirstMatch(_alphaPattern, module, Alpha);
        return UseRsLora ? alpha / Math.Sqrt(rank) : alpha / rank;
    }

    public string? Text(string name) => Find(name) is not { } value ? null
        : value.Text ?? throw Bad($"{name} is not a string");

    public bool Flag(string name) => Find(name) is { } value && (value.Kind switch
    {
        JsonKind.True => true,
        JsonKind.False => false,
        _ => throw Bad($"{name} is {value.RawText}, not true or false"),
    });

    /// <summary>True when a field is present and not null, false, empty or the text "none".</summary>
    public bool IsSet(string name) => Find(name) is { } value && (value.Kind switch
    {
        JsonKind.False => false,
        JsonKind.Array or JsonKind.Object => value.Items.Length > 0,
        JsonKind.String => value.Text is not ("" or "none"),
        _ => true,
    });

    /// <summary>A list of strings; null when absent or not a list.</summary>
    public IReadOnlyList<string>? Strings(string name) => Find(name) is not { Kind: JsonKind.Array } list
        ? null
        : [.. list.Items.Select(item => item.Text ?? throw Bad($"{name} holds something that is not a string"))];

    public JsonTree? Find(string name) => Root.TryGet(name, out JsonTree value) && value.Kind != JsonKind.Null ? value : null;

    public ConversionRefusedException Bad(string what) => BadFile(_path, what);

    private static ConversionRefusedException BadFile(string path, string what) => new(
        path, [new Refusal(RefusalCategory.BadConfig, $"The configuration cannot be used: {what.TrimEnd('.')}.") { Remedy = "Compare it with the file that PEFT wrote." }]);

    private double? Number(string name)
    {
        if (!Root.TryGet(name, out JsonTree value))
        {
            return null;
        }

        if (value.Kind == JsonKind.Null && name is not ("r" or "lora_alpha"))
        {
            return null;
        }

        return value.Kind == JsonKind.Number && value.GetDouble() is var number && double.IsFinite(number)
            ? number
            : throw Bad($"{name} is {Shorten(value.RawText)}, not a finite number");
    }

    private int Rankable(string name, double value) => value >= 1 && value <= MaximumRank && value == Math.Floor(value)
        ? (int)value
        : throw Bad($"{name} is {value.ToString(System.Globalization.CultureInfo.InvariantCulture)}, not a rank");

    private List<PatternValue> Patterns(string name)
    {
        var patterns = new List<PatternValue>();
        if (Find(name) is not { } map)
        {
            return patterns;
        }

        if (map.Kind != JsonKind.Object)
        {
            throw Bad($"{name} is not an object");
        }

        foreach ((string key, JsonTree value) in LastOfEachName(map))
        {
            double number = value.Kind == JsonKind.Number && double.IsFinite(value.GetDouble())
                ? value.GetDouble()
                : throw Bad($"{name} of {key} is {Shorten(value.RawText)}, not a finite number");
            if (name == "rank_pattern")
            {
                Rankable($"{name} of {key}", number);
            }

            try
            {
                patterns.Add(new PatternValue(new PythonPattern(key), number));
            }
            catch (ArgumentException e)
            {
                throw Bad($"{name} has a key that is not a regular expression ({e.Message})");
            }
        }

        return patterns;
    }

    /// <summary>A Python dictionary keeps the place of a repeated key's first member and the value of its last.</summary>
    private static IEnumerable<(string Name, JsonTree Value)> LastOfEachName(JsonTree map) =>
        map.Names.Zip(map.Items).GroupBy(member => member.First, StringComparer.Ordinal).Select(group => group.Last());

    private double FirstMatch(List<PatternValue> patterns, string module, double otherwise) =>
        patterns.Count == 0 ? otherwise : FirstOfSeveral(patterns, module, otherwise);

    // Apart, so that a configuration without patterns does not load the regular expressions.
    private double FirstOfSeveral(List<PatternValue> patterns, string module, double otherwise)
    {
        foreach ((PythonPattern pattern, double value) in patterns)
        {
            try
            {
                if (pattern.Matches(module))
                {
                    return value;
                }
            }
            catch (RegexMatchTimeoutException)
            {
                throw Bad($"the pattern {Shorten(pattern.Key)} backtracks without end");
            }
        }

        return otherwise;
    }

    private sealed record PatternValue(PythonPattern Pattern, double Value);

    private static string Shorten(string text) => text.Length <= 60 ? text : text[..60] + "...";
}
