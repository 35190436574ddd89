using System.Text.Json;
using Sway.Architectures;

namespace Sway.Inference;

/// <summary>The <c>quantization</c> entry that mlx writes into config.json: defaults and exceptions by module.</summary>
public sealed class MlxQuantization
{
    private readonly Dictionary<string, (int Bits, int GroupSize)> _modules = new(StringComparer.Ordinal);
    private readonly (int Bits, int GroupSize) _default;
    private readonly string _path;

    private MlxQuantization(string path, JsonElement element)
    {
        _path = path;
        _default = Entry(element, null, (0, 0));
        foreach (var property in element.EnumerateObject())
        {
            if (property.Value.ValueKind == JsonValueKind.Object)
            {
                _modules[property.Name] = Entry(property.Value, property.Name, _default);
            }
        }
    }

    /// <summary>Reads the entry; null where the weights are not quantized.</summary>
    /// <exception cref="UnsupportedModelException">The weights are quantized in another way.</exception>
    public static MlxQuantization? Read(ModelConfig config)
    {
        if (config.Object("quantization") is { } mlx)
        {
            return new MlxQuantization(config.Path, mlx);
        }

        if (config.Object("quantization_config") is { } other)
        {
            return other.TryGetProperty("quant_method", out _)
                ? throw config.Unsupported("quantization_config")
                : new MlxQuantization(config.Path, other);
        }

        return null;
    }

    /// <summary>Bits and group size of a module.</summary>
    public (int Bits, int GroupSize) Of(string module)
    {
        var found = _modules.GetValueOrDefault(module, _default);
        if (found.Bits is not (4 or 8) || found.GroupSize is not (32 or 64 or 128))
        {
            throw new UnsupportedModelException(
                $"{_path}: quantization of {module} with {found.Bits} bits in groups of {found.GroupSize} is not supported.");
        }

        return found;
    }

    private (int Bits, int GroupSize) Entry(JsonElement element, string? module, (int Bits, int GroupSize) inherited)
    {
        if (element.TryGetProperty("mode", out var mode) && mode.ValueKind == JsonValueKind.String
            && !string.Equals(mode.GetString(), "affine", StringComparison.Ordinal))
        {
            throw new UnsupportedModelException(
                $"{_path}: quantization mode \"{mode.GetString()}\"{(module is null ? string.Empty : $" of {module}")} is not supported.");
        }

        return (Number("bits", inherited.Bits), Number("group_size", inherited.GroupSize));

        int Number(string name, int fallback) =>
            element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : fallback;
    }
}
