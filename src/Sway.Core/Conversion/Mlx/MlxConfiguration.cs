using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Sway.Conversion.Mlx;

/// <summary>Writes adapter_config.json as mlx-lm, mlx-swift-lm and unsloth read it, with the provenance under one more key.</summary>
internal static class MlxConfiguration
{
    public static byte[] Write(MlxResolution resolution, MlxFactors factors, MlxKeys keys)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var options = new JsonWriterOptions { Indented = true, IndentSize = 4, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(buffer, options))
        {
            json.WriteStartObject();
            string? baseName = resolution.Options.BaseName ?? resolution.Adapter.BaseModelName;
            if (baseName is not null)
            {
                json.WriteString("base_model_name_or_path", baseName);
            }

            json.WriteString("fine_tune_type", factors.IsDora ? "dora" : "lora");
            json.WriteStartObject("lora_parameters");
            json.WriteNumber("dropout", resolution.Adapter.Dropout is >= 0 and < 1 ? resolution.Adapter.Dropout : 0);
            WriteList(json, "keys", keys.Keys);
            json.WriteNumber("rank", factors.Rank);
            json.WriteNumber("scale", factors.Scale);
            json.WriteEndObject();
            json.WriteNumber("num_layers", keys.NumLayers);
            WriteProvenance(json, resolution, factors);
            WriteList(json, "unsloth_mlx_lora_module_paths", resolution.Modules.Select(module => module.Path));
            json.WriteEndObject();
        }

        return [.. buffer.WrittenSpan, (byte)'\n'];
    }

    private static void WriteProvenance(Utf8JsonWriter json, MlxResolution resolution, MlxFactors factors)
    {
        json.WriteStartObject("sway");
        json.WriteNumber("converter_version", Converter.Version);
        json.WriteString("source_format", resolution.Adapter.Format.ToString().ToLowerInvariant());
        json.WriteString("source_method", resolution.Adapter.Method);
        json.WriteBoolean("baked", factors.Baked);
        WriteList(json, "left_out", resolution.LeftOut.Keys.Order(StringComparer.Ordinal));
        WriteList(json, "losses", resolution.Losses.Order().Select(category => category.ToString()));
        json.WriteEndObject();
    }

    private static void WriteList(Utf8JsonWriter json, string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (string value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }
}
