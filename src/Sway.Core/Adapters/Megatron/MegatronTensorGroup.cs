using System.Text.RegularExpressions;
using Sway.Tensors;

namespace Sway.Adapters.Megatron;

/// <summary>
/// The tensors of one adapter: on one Megatron layer, or one projection of a fused layer (CanonicalLoRA). Names on
/// disk: <c>decoder.layers[.N].PATH.adapter[.adapter_X].linear_in.weight</c>, <c>linear_out.weight</c>, <c>weight_magnitude</c>.
/// </summary>
internal sealed partial class MegatronTensorGroup
{
    private readonly Dictionary<string, TensorInfo> _parts = new(StringComparer.Ordinal);

    private MegatronTensorGroup(string path, string? projection)
    {
        Path = path;
        Projection = projection;
    }

    // The pattern looks for the last of several ".adapter.", which on a text of megabytes takes its square.
    private const int MaximumName = 4096;

    /// <summary>The layer's path with <c>layers.*</c> where the number is an axis and experts without a number.</summary>
    public string Path { get; }

    /// <summary>q, k, v, gate or up for CanonicalLoRA; null for an adapter on the whole layer.</summary>
    public string? Projection { get; }

    /// <summary>True when the tensors' first axis is the layer.</summary>
    public bool HasLayerAxis => !LayerNumber().IsMatch(Path);

    /// <summary>True for routed experts.</summary>
    public bool IsExperts => Path.Contains(".experts.", StringComparison.Ordinal);

    /// <summary>All tensor names, as on disk.</summary>
    public IEnumerable<string> TensorNames => _parts.Values.Select(tensor => tensor.Name);

    /// <summary>True for the name of a tensor that is part of an adapter.</summary>
    public static bool IsAdapterTensor(string name) => name.Length <= MaximumName && Name().IsMatch(name);

    /// <summary>Sorts tensors into groups, in the order of the first tensor of each.</summary>
    public static IReadOnlyList<MegatronTensorGroup> Group(IEnumerable<TensorInfo> tensors, RefusalList refusals)
    {
        var groups = new Dictionary<(string, string?), MegatronTensorGroup>();
        foreach (TensorInfo tensor in tensors)
        {
            Match match = Name().Match(tensor.Name);
            string path = Normalize(match.Groups["path"].Value);
            string? projection = match.Groups["projection"] is { Success: true, Value: var value } ? value : null;
            if (!groups.TryGetValue((path, projection), out MegatronTensorGroup? group))
            {
                groups.Add((path, projection), group = new MegatronTensorGroup(path, projection));
            }

            if (!group._parts.TryAdd(match.Groups["part"].Value, tensor))
            {
                refusals.Add(RefusalCategory.DuplicateModule, "Two tensors are the same part of one adapter.", tensor.Name);
            }
        }

        return [.. groups.Values];
    }

    /// <summary>The first factor, the second, and the magnitude; refuses a group that lacks a factor.</summary>
    public (TensorExpression A, TensorExpression B, TensorExpression? Magnitude)? Read(TensorFile file, RefusalList refusals)
    {
        string[] sections = ["z", "x", "B", "C", "dt"];
        TensorInfo[] split = [.. sections.Select(section => _parts.GetValueOrDefault("linear_out.weight." + section)).OfType<TensorInfo>()];
        TensorInfo? a = _parts.GetValueOrDefault("linear_in.weight");
        TensorInfo? b = _parts.GetValueOrDefault("linear_out.weight");
        if (a is null || (b is null) == (split.Length == 0) || (b is null && split.Length != sections.Length))
        {
            refusals.Add(RefusalCategory.MissingPair, "An adapter lacks a factor.", TensorNames);
            return null;
        }

        if (split.Length > 0 && split.Any(part => part.DType != split[0].DType || part.Shape.Length < 2
            || !part.Shape.SetItem(part.Shape.Length - 2, 0).SequenceEqual(split[0].Shape.SetItem(split[0].Shape.Length - 2, 0))))
        {
            refusals.Add(RefusalCategory.ShapeMismatch, "The parts of a second factor do not fit each other.", TensorNames);
            return null;
        }

        TensorExpression second = b is not null ? file.Get(b) : TensorExpression.Concatenate(split[0].Shape.Length - 2, [.. split.Select(file.Get)]);
        return (file.Get(a), second, _parts.TryGetValue("weight_magnitude", out TensorInfo? magnitude) ? file.Get(magnitude) : null);
    }

    /// <summary>True when the second factor was saved as Mamba's five sections.</summary>
    public bool IsSectioned => !_parts.ContainsKey("linear_out.weight");

    /// <summary>The path of one layer and expert, as the name maps know it.</summary>
    public string PathOf(long layer, long? expert)
    {
        string path = Path.Replace("layers.*", $"layers.{layer}", StringComparison.Ordinal);
        return expert is null ? path : path.Replace(".experts.", $".experts.{expert}.", StringComparison.Ordinal);
    }

    /// <summary>The layer's number where the path has it.</summary>
    public long? Layer => LayerNumber().Match(Path) is { Success: true } match
        ? long.Parse(match.Groups["number"].ValueSpan, System.Globalization.CultureInfo.InvariantCulture) : null;

    // Both writers' spellings: with and without the section's prefix; experts carry their container's name twice.
    private static string Normalize(string path)
    {
        path = path.StartsWith("model.", StringComparison.Ordinal) ? path["model.".Length..] : path;
        path = path.Replace(".experts.experts.", ".experts.", StringComparison.Ordinal);
        return LayerNumber().IsMatch(path) ? path : LayerStack().Replace(path, "decoder.layers.*.");
    }

    [GeneratedRegex(@"^(?<path>[^\n]+)\.adapter\.(adapter_(?<projection>q|k|v|gate|up)\.)?(?<part>linear_in\.weight|linear_out\.weight(\.(z|x|B|C|dt))?|weight_magnitude)$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Name();

    [GeneratedRegex(@"(?:^|\.)layers\.(?<number>[0-9]{1,6})\.", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex LayerNumber();

    [GeneratedRegex(@"decoder\.layers\.", RegexOptions.CultureInvariant, 60_000)]
    private static partial Regex LayerStack();
}
