using Sway.Tensors;

namespace Sway.Adapters.Peft;

/// <summary>Reads PEFT adapters: LoRA with its variants, AdaLoRA and LoHa. Headers and configuration only.</summary>
internal static class PeftAdapterReader
{
    private static readonly string[] s_methods = ["LORA", "ADALORA", "LOHA"];

    /// <summary>Opens the adapter; what the deltas alone cannot express is listed in <see cref="LoraAdapter.Obstacles"/>.</summary>
    public static LoraAdapter Open(AdapterLocation location, AdapterOpenOptions options)
    {
        string configPath = Path.Combine(location.Folder, AdapterLocation.ConfigName);
        if (!File.Exists(configPath))
        {
            throw Refuse(location.Folder, RefusalCategory.MissingConfig, "The folder has adapter weights but no adapter_config.json, which holds rank and alpha.", "Copy the adapter's adapter_config.json beside the weights.");
        }

        PeftConfig config = PeftConfig.Read(configPath);
        CheckMethod(location, config);
        TensorFile file = OpenWeights(location.WeightsPath);
        try
        {
            if (file.Tensors.Count == 0)
            {
                throw Refuse(location.Folder, RefusalCategory.MissingWeights, "The weights file holds no tensor.", "Export the adapter again.");
            }

            var named = file.Tensors.Select(tensor => (Tensor: tensor, Name: PeftTensorName.Parse(tensor.Name))).ToList();
            named = ChooseAdapter(location, named, options.AdapterName);
            var builder = new PeftModuleBuilder(file, config);
            foreach ((TensorInfo tensor, PeftTensorName name) in named)
            {
                builder.Add(tensor, name);
            }

            IReadOnlyList<LoraModule> modules = builder.Build();
            List<Refusal> obstacles = [.. PeftObstacles.Of(config), .. builder.Refusals];
            if (modules.Count == 0 && obstacles.Count == 0)
            {
                if (file.Tensors.Any(t => t.Name.EndsWith(".lora_a", StringComparison.Ordinal)))
                {
                    throw Refuse(location.Folder, RefusalCategory.AlreadyMlx, "The tensors are named as mlx-lm names them.", "Use the adapter as it is, or sway convert --to peft.");
                }

                obstacles.Add(new Refusal(RefusalCategory.MissingWeights, "The weights file holds no low-rank factor."));
            }

            return new LoraAdapter([file])
            {
                Path = location.Folder,
                Format = AdapterFormat.Peft,
                Method = config.PeftType!,
                Modules = modules,
                Extras = builder.Extras,
                Obstacles = obstacles,
                Warnings = PeftOptions.WarningOf(config) is { } warning ? [warning] : [],
                BaseModelName = config.BaseModelName,
                IsDora = modules.Any(module => module.Magnitude is not null),
                Dropout = config.Dropout,
                Config = config.Root,
                Files = [file],
            };
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static void CheckMethod(AdapterLocation location, PeftConfig config)
    {
        if (config.PeftType is null)
        {
            throw config.Root.TryGetProperty("lora_parameters", out _) || config.Root.TryGetProperty("fine_tune_type", out _)
                ? Refuse(location.Folder, RefusalCategory.AlreadyMlx, "The configuration is mlx-lm's.", "Use sway convert --to peft for mlx-lm adapters.")
                : config.Bad("it has no peft_type");
        }

        if (!s_methods.Contains(config.PeftType, StringComparer.Ordinal))
        {
            throw Refuse(
                location.Folder,
                RefusalCategory.UnsupportedPeftType,
                $"The method {config.PeftType} is not a plain low-rank delta.",
                "Where PEFT can express it as LoRA, convert it there first (peft.save_as_lora).");
        }
    }

    private static TensorFile OpenWeights(string path) => path.EndsWith(".bin", StringComparison.Ordinal)
        ? Tensors.Torch.TorchFile.OpenFile(path)
        : BaseWeightFiles.Open(path);

    /// <summary>Takes the tensors of one adapter. PEFT's own files hold one and no name of it; raw state dictionaries hold
    /// names, of several adapters perhaps, and a factor without a name beside them is another adapter's again.</summary>
    private static List<(TensorInfo Tensor, PeftTensorName Name)> ChooseAdapter(
        AdapterLocation location, List<(TensorInfo Tensor, PeftTensorName Name)> tensors, string? wanted)
    {
        const string Unnamed = "default";
        string[] names = [.. tensors.Where(t => IsOwn(t.Name)).Select(t => t.Name.Adapter ?? Unnamed).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        if (names.Length <= 1 && (wanted is null || names.Contains(wanted, StringComparer.Ordinal) || location.IsNamed(wanted)))
        {
            return tensors;
        }

        if (wanted is not null && names.Contains(wanted, StringComparer.Ordinal))
        {
            return [.. tensors.Where(t => !IsOwn(t.Name) || (t.Name.Adapter ?? Unnamed) == wanted)];
        }

        throw names.Length > 1
            ? Refuse(location.Folder, RefusalCategory.AmbiguousAdapterName, $"The file holds several adapters: {string.Join(", ", names)}.", "Choose one with -AdapterName (--adapter-name).")
            : Refuse(location.Folder, RefusalCategory.AmbiguousAdapterName, $"There is no adapter {wanted} here, only {names.FirstOrDefault() ?? "none"}.", "Leave -AdapterName (--adapter-name) out, or name another folder.");
    }

    /// <summary>True for a tensor that belongs to one adapter of the model, and not to the base.</summary>
    private static bool IsOwn(PeftTensorName name) => name.Role is PeftRole.A or PeftRole.B or PeftRole.E or PeftRole.BBias or PeftRole.EmbeddingA
        or PeftRole.EmbeddingB or PeftRole.Magnitude or PeftRole.HadamardFactor or PeftRole.Diagonal or PeftRole.TokenRows
        || (name.Role == PeftRole.FullWeight && name.Adapter is not null);

    private static ConversionRefusedException Refuse(string path, RefusalCategory category, string reason, string remedy) =>
        new(path, [new Refusal(category, reason) { Remedy = remedy }]);
}
