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

            var named = new List<NamedTensor>(file.Tensors.Count);
            foreach (TensorInfo tensor in file.Tensors)
            {
                named.Add(new NamedTensor(tensor, PeftTensorName.Parse(tensor.Name)));
            }

            var builder = new PeftModuleBuilder(file, config);
            foreach (NamedTensor tensor in ChooseAdapter(location, named, options.AdapterName))
            {
                builder.Add(tensor.Tensor, tensor.Name);
            }

            IReadOnlyList<LoraModule> modules = builder.Build();
            List<Refusal> obstacles = [.. PeftObstacles.Of(config), .. PeftDeclaredParts.Missing(config, modules, builder.Extras), .. builder.Refusals];
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
                IsDora = HasMagnitude(modules),
                Dropout = config.Dropout,
                Settings = config.Root,
                Files = [file],
            };
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static bool HasMagnitude(IReadOnlyList<LoraModule> modules)
    {
        foreach (LoraModule module in modules)
        {
            if (module.Magnitude is not null)
            {
                return true;
            }
        }

        return false;
    }

    private static void CheckMethod(AdapterLocation location, PeftConfig config)
    {
        if (config.PeftType is null)
        {
            throw config.Root.TryGet("lora_parameters", out _) || config.Root.TryGet("fine_tune_type", out _)
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
    private static List<NamedTensor> ChooseAdapter(AdapterLocation location, List<NamedTensor> tensors, string? wanted)
    {
        const string Unnamed = "default";
        var names = new List<string>();
        foreach (NamedTensor tensor in tensors)
        {
            string adapter = tensor.Name.Adapter ?? Unnamed;
            if (IsOwn(tensor.Name) && !names.Contains(adapter))
            {
                names.Add(adapter);
            }
        }

        names.Sort(StringComparer.Ordinal);
        if (names.Count <= 1 && (wanted is null || names.Contains(wanted) || location.IsNamed(wanted)))
        {
            return tensors;
        }

        if (wanted is not null && names.Contains(wanted))
        {
            return [.. tensors.Where(t => !IsOwn(t.Name) || (t.Name.Adapter ?? Unnamed) == wanted)];
        }

        throw names.Count > 1
            ? Refuse(location.Folder, RefusalCategory.AmbiguousAdapterName, $"The file holds several adapters: {string.Join(", ", names)}.", "Choose one with -AdapterName (--adapter-name).")
            : Refuse(location.Folder, RefusalCategory.AmbiguousAdapterName, $"There is no adapter {wanted} here, only {names.FirstOrDefault() ?? "none"}.", "Leave -AdapterName (--adapter-name) out, or name another folder.");
    }

    /// <summary>True for a tensor that belongs to one adapter of the model, and not to the base.</summary>
    private static bool IsOwn(PeftTensorName name) => name.Role is PeftRole.A or PeftRole.B or PeftRole.E or PeftRole.BBias or PeftRole.EmbeddingA
        or PeftRole.EmbeddingB or PeftRole.Magnitude or PeftRole.HadamardFactor or PeftRole.Diagonal or PeftRole.TokenRows
        || (name.Role == PeftRole.FullWeight && name.Adapter is not null);

    private static ConversionRefusedException Refuse(string path, RefusalCategory category, string reason, string remedy) =>
        new(path, [new Refusal(category, reason) { Remedy = remedy }]);

    private sealed record NamedTensor(TensorInfo Tensor, PeftTensorName Name);
}
