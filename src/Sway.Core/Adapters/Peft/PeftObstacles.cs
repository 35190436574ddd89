using Sway.IO;

namespace Sway.Adapters.Peft;

/// <summary>What a PEFT configuration says that a plain low-rank delta cannot express.</summary>
internal static class PeftObstacles
{
    private const string MergeThere = "Merge the adapter into its base with PEFT (merge_and_unload), and use the merged model.";

    public static IEnumerable<Refusal> Of(PeftConfig config)
    {
        if (config.IsSet("alora_invocation_tokens"))
        {
            yield return new Refusal(RefusalCategory.PositionDependent, "The adapter (aLoRA) acts only after its invocation tokens; a plain adapter acts everywhere.");
        }

        if (config.IsSet("arrow_config"))
        {
            yield return new Refusal(RefusalCategory.Router, "The adapter (Arrow) routes between several adapters for each token.");
        }

        if (config.IsSet("layer_replication"))
        {
            yield return new Refusal(RefusalCategory.LayerReplication, "The adapter belongs to a model whose layers were replicated; their numbers are not the base's.");
        }

        if (config.IsSet("megatron_config"))
        {
            yield return new Refusal(RefusalCategory.Megatron, "The adapter was trained on Megatron's parallel layers, whose fused layout differs.");
        }

        if (config.IsSet("kasa_config"))
        {
            yield return new Refusal(RefusalCategory.MutatedBase, "KaSA truncates the base weights; the adapter is no delta on the original base.");
        }

        if (config.Flag("lora_bias"))
        {
            yield return new Refusal(RefusalCategory.LoraBias, "The adapter adds a trained bias (lora_bias), which mlx-lm has no place for.")
            {
                Remedy = MergeThere,
            };
        }

        if (config.Text("bias") is { } bias && bias != "none")
        {
            yield return new Refusal(RefusalCategory.BiasTrained, $"Biases of the base were trained (bias = {bias}) and differ even where the adapter does not act.")
            {
                Remedy = MergeThere,
            };
        }

        if (config.IsSet("loftq_config"))
        {
            yield return Mutated("LoftQ", "the quantized base that it was initialised with");
        }

        switch (InitialisationOf(config))
        {
            case Initialisation.Plain:
                break;
            case Initialisation.LoftQ when !config.IsSet("loftq_config"):
                yield return Mutated("LoftQ", "the quantized base that it was initialised with");
                break;
            case Initialisation.Pissa or Initialisation.Olora or Initialisation.NeedsInitialAdapter:
                yield return new Refusal(
                    RefusalCategory.MutatedBase,
                    $"The adapter was initialised with {config.Text("init_lora_weights")}, which changed the base weights; its deltas are not those on the original base.")
                {
                    IsInitialisation = true,
                    Remedy = "Convert it to mlx-lm with the base or the adapter at its initialisation (sway convert --base, --initial-adapter), which take the change out.",
                };
                break;
            case Initialisation.Unknown:
                yield return new Refusal(
                    RefusalCategory.MutatedBase, $"init_lora_weights is {config.Find("init_lora_weights")?.RawText}, which is not known to leave the base as it is.");
                break;
        }
    }

    /// <summary>How the factors were initialised, as far as it changes the base.</summary>
    public static Initialisation InitialisationOf(PeftConfig config)
    {
        if (config.Find("init_lora_weights") is not { } value)
        {
            return Initialisation.Plain;
        }

        if (value.Kind is JsonKind.True or JsonKind.False)
        {
            return Initialisation.Plain;
        }

        string text = value.Text?.ToLowerInvariant() ?? "";
        return text switch
        {
            "gaussian" or "orthogonal" or "eva" or "mica" => Initialisation.Plain,
            "pissa" => Initialisation.Pissa,
            "olora" => Initialisation.Olora,
            "corda" or "lora_ga" => Initialisation.NeedsInitialAdapter,
            "loftq" => Initialisation.LoftQ,
            _ when text.StartsWith("pissa_niter_", StringComparison.Ordinal) => Initialisation.NeedsInitialAdapter,
            _ => Initialisation.Unknown,
        };
    }

    private static Refusal Mutated(string method, string what) =>
        new(RefusalCategory.MutatedBase, $"{method} changed the base weights; the adapter belongs to {what}.");
}

/// <summary>How an adapter's factors were initialised, as far as it changes the base.</summary>
internal enum Initialisation
{
    Plain,
    Pissa,
    Olora,
    NeedsInitialAdapter,
    LoftQ,
    Unknown,
}
