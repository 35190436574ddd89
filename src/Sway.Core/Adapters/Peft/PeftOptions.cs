using System.Text.Json;

namespace Sway.Adapters.Peft;

/// <summary>
/// The options of PEFT's LoraConfig, AdaLoraConfig and LoHaConfig, of all releases up to 0.21. Each is either heeded, refused
/// where it matters, or without effect on the numbers; one that is not here may change them in a way that nobody checked.
/// </summary>
internal static class PeftOptions
{
    private static readonly HashSet<string> s_known = new(StringComparer.Ordinal)
    {
        // of every method
        "auto_mapping", "base_model_name_or_path", "inference_mode", "peft_type", "peft_version", "revision", "task_type",

        // LoRA
        "alora_invocation_tokens", "alpha_pattern", "arrow_config", "bias", "corda_config", "ensure_weight_tying", "eva_config", "exclude_modules",
        "fan_in_fan_out", "init_lora_weights", "kasa_config", "layer_replication", "layers_pattern", "layers_to_transform", "loftq_config", "lora_alpha",
        "lora_bias", "lora_dropout", "lora_ga_config", "megatron_config", "megatron_core", "modules_to_save", "monteclora_config", "qalora_group_size",
        "r", "rank_pattern", "runtime_config", "target_modules", "target_modules_to_tie", "modules_to_tie", "target_parameters",
        "trainable_token_indices", "use_bdlora", "use_dora", "use_qalora", "use_rslora", "velora_config",

        // LoRA of PEFT below 0.4
        "enable_lora", "merge_weights",

        // AdaLoRA
        "beta1", "beta2", "deltaT", "init_r", "orth_reg_weight", "target_r", "tfinal", "tinit", "total_step",

        // LoHa
        "alpha", "init_weights", "module_dropout", "rank_dropout", "rank_dropout_scale", "use_effective_conv2d",
    };

    /// <summary>A sentence that names the options that are set and not known; null when there are none.</summary>
    public static string? WarningOf(PeftConfig config)
    {
        var unknown = new List<string>();
        foreach (string name in config.Root.Names)
        {
            if (!s_known.Contains(name) && config.IsSet(name) && !unknown.Contains(name))
            {
                unknown.Add(name);
            }
        }

        unknown.Sort(StringComparer.Ordinal);
        return unknown.Count == 0
            ? null
            : $"adapter_config.json has options that Sway does not know ({string.Join(", ", unknown.Select(name => JsonEncodedText.Encode(name)))}); if they change the adapter's function, the result does not have that change.";
    }
}
