using System.Text.Json;
using Sway.Adapters;
using Sway.Adapters.Mlx;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Validation;

/// <summary>
/// What mlx-lm and mlx-swift-lm do with an adapter of mlx-lm's format, by their loading rules. mlx-lm up to 0.31.3 ignores tensors that it
/// has no place for and checks no shape; since then every tensor must fit. mlx-swift-lm knows linear layers and names relative to a layer.
/// </summary>
internal sealed class MlxReaders
{
    public const string Old = "mlx-lm up to 0.31.3";
    public const string Current = "mlx-lm from 0.32";
    public const string Swift = "mlx-swift-lm";

    private readonly MlxAdapterFiles _files;
    private readonly MlxAdapterConfig _config;
    private readonly MlxTensorGroups _groups;
    private readonly BaseModel? _model;
    private readonly MlxKeys _keys;

    private MlxReaders(MlxAdapterFiles files, MlxAdapterConfig config, MlxTensorGroups groups, BaseModel? model)
    {
        _files = files;
        _config = config;
        _groups = groups;
        _model = model;
        _keys = new MlxKeys(config.Keys, config.NumLayers, model?.LayerCount);
    }

    private bool IsFull => _config.FineTuneType == "full";

    private bool IsDora => _config.FineTuneType == "dora";

    /// <summary>Judges an adapter for each reader.</summary>
    /// <param name="path">The adapter's folder or tensor file.</param>
    /// <param name="file">Its open tensors.</param>
    /// <param name="model">The base model, or null when it is not known.</param>
    public static IReadOnlyList<AdapterReaderVerdict> Judge(string path, TensorFile file, BaseModel? model)
    {
        MlxAdapterFiles files = MlxAdapterFiles.Find(path);
        var readers = new MlxReaders(files, MlxAdapterConfig.Read(files.Configuration), MlxTensorGroups.Of(file), model);
        return [readers.MlxLm(strict: true), readers.MlxLm(strict: false), readers.MlxSwift()];
    }

    private AdapterReaderVerdict MlxLm(bool strict)
    {
        string reader = strict ? Current : Old;
        if ((CannotLoad() ?? (strict ? Unfitting() : Crashing())) is { } obstacle)
        {
            return new AdapterReaderVerdict(reader, false, false, obstacle);
        }

        string? wrong = Wrong() ?? (strict ? null : Ignored());
        return new AdapterReaderVerdict(reader, true, wrong is null, wrong);
    }

    private AdapterReaderVerdict MlxSwift()
    {
        string? obstacle = FilesMissing() ?? NotSwift() ?? Types();
        string? wrong = obstacle is null ? Wrong() : null;
        return new AdapterReaderVerdict(Swift, obstacle is null, obstacle is null && wrong is null, obstacle ?? wrong);
    }

    private string? FilesMissing() => Path.GetFileName(_files.Tensors) != MlxAdapterFiles.TensorFileName
        ? $"it reads {MlxAdapterFiles.TensorFileName} only, not {Path.GetFileName(_files.Tensors)}"
        : _config.Exists ? null : $"there is no {MlxAdapterFiles.ConfigurationFileName}";

    /// <summary>What every version of mlx-lm stumbles over.</summary>
    private string? CannotLoad()
    {
        if (FilesMissing() is { } missing)
        {
            return missing;
        }

        if (IsFull)
        {
            return Types();
        }

        if (!IsInteger(_config.Root, "num_layers"))
        {
            return "num_layers is missing or no whole number";
        }

        if (_config.LoraParameters.ValueKind != JsonValueKind.Object)
        {
            return "lora_parameters is missing";
        }

        if (!IsInteger(_config.LoraParameters, "rank"))
        {
            return "lora_parameters.rank is missing or no whole number";
        }

        if (!IsNumber(_config.LoraParameters, "scale"))
        {
            return "lora_parameters.scale is missing or no number";
        }

        if (!IsNumber(_config.LoraParameters, "dropout") || _config.Dropout is not (>= 0 and < 1))
        {
            return "lora_parameters.dropout is missing or outside [0, 1)";
        }

        string[] twice = [.. _groups.Modules.Select(group => group.Path).Where(IsNamedTwice)];
        return twice.Length > 0 ? $"the keys name {twice[0]} relative to a layer and absolutely"
            : IsDora && _groups.Modules.FirstOrDefault(group => group.IsSwitch && _keys.Reaches(group.Path)) is { } experts ? $"DoRA on the experts {experts.Path}"
            : Types();
    }

    private string? Types()
    {
        TensorInfo? wide = _groups.Modules.SelectMany(Tensors).Concat(_groups.Extras).FirstOrDefault(tensor => tensor.DType == DType.F64);
        return wide is null ? null : $"{wide.Name} is F64, which mlx does not read";
    }

    /// <summary>What the strict loader refuses: a tensor without a place, or of another shape.</summary>
    private string? Unfitting()
    {
        if (IsFull)
        {
            return null;
        }

        foreach (MlxTensorGroup group in _groups.Modules)
        {
            if (!IsKnown(group))
            {
                return $"{group.Path} is no module of the base";
            }

            if (!_keys.Reaches(group.Path))
            {
                return $"the keys and num_layers do not reach {group.Path}";
            }

            if (group.Magnitude is not null && !IsDora)
            {
                return $"{group.Magnitude.Name} is DoRA's, but fine_tune_type is {_config.FineTuneType ?? "lora"}";
            }

            if (group.IsFlattened)
            {
                return $"{group.A!.Name} is flattened, as before mlx-lm 0.28.3";
            }

            if (RankOf(group) is { } rank && rank != _config.Rank)
            {
                return $"{group.Path} has rank {rank}, the configuration says {_config.Rank}";
            }
        }

        return _groups.Extras is [var extra, ..] ? $"{extra.Name} is no tensor of an adapter" : null;
    }

    private string? Crashing() => _groups.Modules.FirstOrDefault(group => group.IsFlattened && _keys.Reaches(group.Path)) is { } flattened
        ? $"{flattened.A!.Name} is flattened, as before mlx-lm 0.28.3"
        : null;

    /// <summary>What no loader notices although the numbers are then others.</summary>
    private string? Wrong()
    {
        if (IsFull)
        {
            return null;
        }

        if (_groups.Modules.FirstOrDefault(group => group.A is null || group.B is null) is { } half)
        {
            return $"{half.Path} has only one of its factors, so that it does nothing";
        }

        if (IsDora && _groups.Modules.FirstOrDefault(group => group.Magnitude is null) is { } plain)
        {
            return $"fine_tune_type is dora, and {plain.Path} has no magnitude";
        }

        int[] ranks = [.. _groups.Modules.Select(RankOf).OfType<int>().Distinct()];
        if (MlxScale.Find(_config, ranks).Value != _config.Scale)
        {
            return "alpha is recorded as before June 2024, when the factor was not the scale alone";
        }

        return _config.ModuleScales.FirstOrDefault(entry => entry.Value != _config.Scale && _groups.Modules.Any(group => group.Path == entry.Key)) is { Key: { } other }
            ? $"{other} has a scale of its own, which only unsloth applies"
            : _groups.Modules.SelectMany(Tensors).FirstOrDefault(tensor => !tensor.DType.IsReadableFloat() || tensor.DType is DType.F8E4M3 or DType.F8E5M2) is { } bytes
                ? $"{bytes.Name} is {bytes.DType.SafetensorsName()}, which mlx reads as plain bytes"
                : null;
    }

    /// <summary>What the lenient loader leaves out without a word.</summary>
    private string? Ignored()
    {
        if (IsFull)
        {
            return null;
        }

        MlxTensorGroup[] missed = [.. _groups.Modules.Where(group => !IsKnown(group) || !_keys.Reaches(group.Path))];
        return missed.Length > 0 ? $"it leaves out {missed.Length} modules without a word, {missed[0].Path} first"
            : !IsDora && _groups.Modules.Any(group => group.Magnitude is not null) ? "it leaves out the DoRA magnitudes without a word"
            : _groups.Extras.FirstOrDefault(extra => MlxAdapterChecks.IsUnknownLoraTensor(extra.Name)) is { } unknown ? $"it leaves out {unknown.Name} without a word"
            : null;
    }

    private string? NotSwift()
    {
        if (_config.FineTuneType is not ("lora" or "dora"))
        {
            return "fine_tune_type is neither lora nor dora";
        }

        if (!IsInteger(_config.Root, "num_layers") || _config.NumLayers is not > 0)
        {
            return "num_layers is no count of layers";
        }

        if (!IsInteger(_config.LoraParameters, "rank") || !IsNumber(_config.LoraParameters, "scale"))
        {
            return "lora_parameters has no rank or no scale";
        }

        foreach (MlxTensorGroup group in _groups.Modules)
        {
            if (group.IsSwitch || MlxModuleNames.InLayer(group.Path) is not { } place || MlxModuleNames.IsEmbedding(group.Path))
            {
                return $"it adapts linear layers only, not {group.Path}";
            }

            if (_config.Keys is { } keys && !keys.Contains(place.Name, StringComparer.Ordinal))
            {
                return $"no key names {place.Name} relative to its layer";
            }
        }

        return Unfitting();
    }

    private bool IsNamedTwice(string path) => _config.Keys is { } keys && keys.Contains(path, StringComparer.Ordinal)
        && MlxModuleNames.InLayer(path) is { } place && keys.Contains(place.Name, StringComparer.Ordinal)
        && new MlxKeys([place.Name], _config.NumLayers, _model?.LayerCount).Reaches(path);

    private bool IsKnown(MlxTensorGroup group) => _model?.Map is not { } map || map.FindMlx(group.Path).Count > 0;

    private static int? RankOf(MlxTensorGroup group) => group.Mismatch() is null ? group.Rank : null;

    private static IEnumerable<TensorInfo> Tensors(MlxTensorGroup group) => new[] { group.A, group.B, group.Magnitude }.OfType<TensorInfo>();

    private static bool IsInteger(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number
        && value.TryGetInt32(out _) && value.GetRawText().All(c => char.IsAsciiDigit(c) || c == '-');

    private static bool IsNumber(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number;
}
