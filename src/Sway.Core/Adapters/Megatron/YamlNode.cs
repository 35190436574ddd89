namespace Sway.Adapters.Megatron;

/// <summary>A value of a YAML file: text, a mapping, a sequence, or something that <see cref="YamlReader"/> does not interpret.</summary>
internal sealed class YamlNode
{
    public static YamlNode Empty { get; } = new();

    /// <summary>The text of a scalar; null for everything else and for null itself.</summary>
    public string? Text { get; init; }

    /// <summary>True for a construct that is only skipped over: an alias, a flow collection, a block text.</summary>
    public bool IsOpaque { get; init; }

    public IReadOnlyDictionary<string, YamlNode> Fields { get; init; } = new Dictionary<string, YamlNode>(StringComparer.Ordinal);

    public IReadOnlyList<YamlNode> Items { get; init; } = [];

    /// <summary>The field of a mapping; an empty node when there is none.</summary>
    public YamlNode this[string name] => Fields.GetValueOrDefault(name, Empty);
}
