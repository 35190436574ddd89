using Sway.Adapters;
using Sway.Architectures;

namespace Sway.Conversion.Mlx;

/// <summary>
/// How the output's configuration names its modules. Names relative to a layer with a real layer count load in mlx-lm and
/// mlx-swift-lm, but are exact only where the same names are adapted in exactly the last layers; absolute paths are exact
/// always and load in mlx-lm only.
/// </summary>
internal sealed record MlxKeys(IReadOnlyList<string> Keys, int NumLayers, IReadOnlyList<string> LoadsIn)
{
    public static MlxKeys Choose(MlxResolution resolution)
    {
        List<MlxModule> modules = resolution.Modules;
        string? obstacle = RelativeObstacle(resolution, out SortedSet<string> names, out int count);
        if (resolution.Options.KeyStyle == KeyStyle.Relative && obstacle is not null)
        {
            throw new ConversionRefusedException(
                resolution.Adapter.Path,
                [new Refusal(RefusalCategory.KeyStyle, $"Relative keys would not be exact: {obstacle}.") { Remedy = "Use -KeyStyle Auto (--key-style auto)." }]);
        }

        bool relative = obstacle is null && resolution.Options.KeyStyle != KeyStyle.Absolute;
        string? notSwift = !relative ? $"needs absolute keys: {obstacle ?? "asked for"}"
            : modules.Any(module => module.Kind != MlxModuleKind.Linear) ? "it adapts linear layers only" : null;
        string[] loads = notSwift is null ? ["mlx-lm", "mlx-swift-lm"] : ["mlx-lm", $"not mlx-swift-lm ({notSwift})"];
        return relative
            ? new MlxKeys([.. names], count, loads)
            : new MlxKeys([.. modules.Select(module => module.Path)], Math.Max(1, HighestLayer(modules) + 1), loads);
    }

    private static int HighestLayer(IEnumerable<MlxModule> modules) =>
        modules.Max(module => ModulePath.TrySplitLayer(module.Path, out int layer, out _) ? layer : -1);

    private static string? RelativeObstacle(MlxResolution resolution, out SortedSet<string> names, out int count)
    {
        names = new SortedSet<string>(StringComparer.Ordinal);
        count = 0;
        var layers = new SortedDictionary<int, SortedSet<string>>();
        foreach (MlxModule module in resolution.Modules)
        {
            if (!ModulePath.TrySplitLayer(module.Path, out int layer, out string relative))
            {
                return $"{module.Path} is outside the layers";
            }

            if (!layers.TryGetValue(layer, out SortedSet<string>? inLayer))
            {
                layers.Add(layer, inLayer = new SortedSet<string>(StringComparer.Ordinal));
            }

            inLayer.Add(relative);
        }

        if (resolution.Base?.LayerCount is not { } total)
        {
            return "the base's layer count is not known";
        }

        count = layers.Count;
        names = layers.Values.First();
        int first = total - count;
        if (!layers.Keys.SequenceEqual(Enumerable.Range(first, count)))
        {
            return "the adapted layers are not the last ones";
        }

        SortedSet<string> expected = names;
        return layers.Values.All(expected.SetEquals) ? null : "the layers are adapted differently";
    }
}
