using Sway.Architectures;

namespace Sway.Adapters.Megatron;

/// <summary>
/// The sizes that decide how fused layers are split: from the run's configuration, else from the base model. Where both
/// know one, they must agree, or the base is not the model that was trained.
/// </summary>
internal sealed class MegatronGeometry
{
    private readonly MegatronRunConfig? _run;
    private readonly BaseModel? _base;
    private readonly RefusalList _refusals;

    public MegatronGeometry(MegatronRunConfig? run, BaseModel? baseModel, RefusalList refusals)
    {
        _run = run;
        _base = baseModel;
        _refusals = refusals;
        Heads = Agreed("num_attention_heads", "num_attention_heads");
        Groups = Agreed("num_query_groups", "num_key_value_heads") ?? Heads;
        HeadSize = Agreed("kv_channels", "head_dim")
            ?? ((_run?.ModelInteger("hidden_size") ?? _base?.HiddenSize) is { } hidden && Heads is > 0 and { } heads && hidden % heads == 0 ? hidden / heads : null);
        HiddenSize = Agreed("hidden_size", "hidden_size");
        LayerCount = _base?.LayerCount;
        ExpertCount = _run?.ModelInteger("num_moe_experts") ?? _base?.ExpertCount;
    }

    public long? Heads { get; }

    public long? Groups { get; }

    public long? HeadSize { get; }

    public long? HiddenSize { get; }

    public long? LayerCount { get; }

    public long? ExpertCount { get; }

    /// <summary>How many tensor-parallel ranks saved the checkpoint; null when the run's configuration is missing.</summary>
    public long? TensorParallelSize => _run?.TensorParallelSize;

    /// <summary>Over how many ranks each expert was cut; null when the run's configuration does not say (then one).</summary>
    public long? ExpertTensorParallelSize => _run?.ModelInteger("expert_tensor_parallel_size");

    /// <summary>Whether the attention has an output gate, when the run's configuration says so.</summary>
    public bool? OutputGate => _run?.ModelFlag("attention_output_gate");

    /// <summary>False when the run's configuration says that linear_fc1 is not gated.</summary>
    public bool? GatedUnit => _run?.ModelFlag("gated_linear_unit");

    /// <summary>True when the rows of a gated layer were interleaved in blocks.</summary>
    public bool InterleavesGate(bool routedExperts) =>
        _run?.ModelInteger(routedExperts ? "moe_mlp_glu_interleave_size" : "moe_shared_expert_glu_interleave_size") is not null;

    /// <summary>The sizes of gated delta net layers; null when unknown.</summary>
    public DeltaNetSizes? DeltaNet()
    {
        long?[] sizes = [.. new[] { "linear_key_head_dim", "linear_value_head_dim", "linear_num_key_heads", "linear_num_value_heads" }.Select(name => Agreed(name, name))];
        return sizes is [> 0 and { } keySize, > 0 and { } valueSize, > 0 and { } keyHeads, > 0 and { } valueHeads] && valueHeads % keyHeads == 0
            ? new DeltaNetSizes(keySize, valueSize, keyHeads, valueHeads)
            : null;
    }

    private long? Agreed(string megatron, string huggingFace)
    {
        long? run = _run?.ModelInteger(megatron);
        long? own = _base?.FindInt(huggingFace);
        if (run is not null && own is not null && run != own)
        {
            _refusals.AddWithRemedy(
                RefusalCategory.BadConfig,
                $"The run was made with {megatron} {run}, and the base model {_base!.Folder} has {huggingFace} {own}.",
                "Name the base model that was trained.");
        }

        return run ?? own;
    }
}
