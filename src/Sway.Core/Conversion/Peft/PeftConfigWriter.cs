using System.Buffers;
using System.Text.Json;

namespace Sway.Conversion.Peft;

/// <summary>Writes PEFT's <c>adapter_config.json</c>.</summary>
internal sealed record PeftConfigWriter
{
    /// <summary>The first release of PEFT that packs experts as Sway does.</summary>
    private const string ParameterLayoutVersion = "0.19.0";

    public required IReadOnlyList<PeftTarget> Targets { get; init; }

    public required int Rank { get; init; }

    public required double Alpha { get; init; }

    public required double Dropout { get; init; }

    public required bool UseDora { get; init; }

    public required string? BaseModelName { get; init; }

    public IReadOnlyList<string> TargetModules =>
        [.. Targets.Where(target => !target.IsParameter).Select(target => target.Path)];

    public IReadOnlyList<string> TargetParameters =>
        [.. Targets.Where(target => target.IsParameter).Select(target => target.Path)];

    /// <summary>The file, keys in ordinal order as PEFT sorts them.</summary>
    public byte[] ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>();
        var options = new JsonWriterOptions
        {
            Indented = true,
            NewLine = "\n",
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        };
        using (var json = new Utf8JsonWriter(buffer, options))
        {
            json.WriteStartObject();
            Pattern(json, "alpha_pattern", Targets.Where(target => target.Alpha != Alpha), target => Number(json, target.Alpha));
            json.WriteString("base_model_name_or_path", BaseModelName);
            json.WriteString("bias", "none");
            json.WriteBoolean("fan_in_fan_out", Targets.Any(target => target.Rule?.IsConv1D == true));
            json.WriteBoolean("inference_mode", true);
            json.WriteBoolean("init_lora_weights", true);
            json.WritePropertyName("lora_alpha");
            Number(json, Alpha);
            json.WritePropertyName("lora_dropout");
            Number(json, Dropout);
            json.WriteNull("modules_to_save");
            json.WriteString("peft_type", "LORA");
            if (TargetParameters.Count > 0)
            {
                json.WriteString("peft_version", ParameterLayoutVersion);
            }

            json.WriteNumber("r", Rank);
            Pattern(json, "rank_pattern", Targets.Where(target => target.Rank != Rank), target => json.WriteNumberValue(target.Rank));
            List(json, "target_modules", TargetModules);
            if (TargetParameters.Count > 0)
            {
                List(json, "target_parameters", TargetParameters);
            }

            json.WriteString("task_type", "CAUSAL_LM");
            json.WriteBoolean("use_dora", UseDora);
            json.WriteBoolean("use_rslora", false);
            json.WriteEndObject();
        }

        return [.. buffer.WrittenSpan, (byte)'\n'];
    }

    private static void Pattern(Utf8JsonWriter json, string name, IEnumerable<PeftTarget> targets, Action<PeftTarget> value)
    {
        json.WriteStartObject(name);
        foreach (PeftTarget target in targets.OrderBy(target => target.Path, StringComparer.Ordinal))
        {
            json.WritePropertyName(target.Path);
            value(target);
        }

        json.WriteEndObject();
    }

    private static void List(Utf8JsonWriter json, string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (string value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }

    // PEFT's own files hold whole alphas as integers; a reader that expects one must not meet 16.0.
    private static void Number(Utf8JsonWriter json, double value)
    {
        if (value == Math.Truncate(value) && Math.Abs(value) < 1e15)
        {
            json.WriteNumberValue((long)value);
        }
        else
        {
            json.WriteNumberValue(value);
        }
    }
}
