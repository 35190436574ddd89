using System.Collections.Frozen;

namespace Sway.Adapters;

/// <summary>What a category of refusals means in general, and what to do where a refusal does not say it better itself.</summary>
/// <param name="Meaning">The reason, in one sentence.</param>
/// <param name="Remedy">What to try next, in one sentence.</param>
public sealed record RefusalExplanation(string Meaning, string Remedy);

/// <summary>The explanation of every category; docs/formats.md is checked against it.</summary>
public static class RefusalCatalog
{
    private const string Base = "Name the base model that the adapter was trained on with -BaseModel (--base).";
    private const string Merge = "Merge the adapter into its base with Merge-LoraAdapter (sway merge), or with the library that trained it.";
    private const string Again = "Download or export the adapter again; its size or checksum at the source shows whether it is whole.";
    private const string Trainer = "Save the adapter again with the library that trained it.";

    private static readonly FrozenDictionary<RefusalCategory, RefusalExplanation> s_all = new Dictionary<RefusalCategory, RefusalExplanation>
    {
        [RefusalCategory.BadFile] = new("A file's bytes are not what its format demands, or what was written does not prove equal to the source.", Again),
        [RefusalCategory.BadConfig] = new("The configuration is no JSON, or a field has a value that its library does not take.", "Compare adapter_config.json with the file that the library wrote."),
        [RefusalCategory.MissingConfig] = new("There is no adapter_config.json, which holds rank and alpha, or no adapter at all.", "Copy the adapter's adapter_config.json beside the weights, or name an adapter's folder."),
        [RefusalCategory.MissingWeights] = new("There is no file of weights, or it holds no low-rank factor.", Again),
        [RefusalCategory.AlreadyMlx] = new("The adapter is in mlx-lm's format already.", "Use it as it is, or convert it with ConvertTo-PeftAdapter (sway convert --to peft)."),
        [RefusalCategory.AlreadyPeft] = new("The adapter is in PEFT's format already.", "Use it as it is, or convert it with ConvertTo-MlxAdapter (sway convert --to mlx)."),
        [RefusalCategory.AmbiguousFormat] = new("The folder holds files of two formats, or tensors of no format's names.", "Name the weights file that is meant."),
        [RefusalCategory.AmbiguousAdapterName] = new("The file or folder holds several adapters.", "Choose one with -AdapterName (--adapter-name), or name its folder."),
        [RefusalCategory.UnsupportedPeftType] = new("The method is not LoRA, and its change of the weights is no low-rank product that the files alone give.", "Where PEFT can express it as LoRA, convert it there first (peft.save_as_lora)."),
        [RefusalCategory.UnsupportedDType] = new("Factors are stored in an element type that is no floating-point type Sway reads.", "Save the adapter in float32, bfloat16 or float16."),
        [RefusalCategory.UnsafePickle] = new("A pickle names classes or functions that tensors do not need; loading it elsewhere could run code.", "Save the adapter as safetensors with the library that wrote it, if you trust the file."),
        [RefusalCategory.UnknownTensor] = new("The file holds tensors that no rule of the format explains; dropping them could change the function.", "Find out which program wrote them; -AllowLoss UnknownTensor (--allow-loss unknown-tensor) leaves them out."),
        [RefusalCategory.UnknownModule] = new("The base model has no module or layer of that name.", Base),
        [RefusalCategory.UnknownArchitecture] = new("The base's model type has no verified map of module names, or mlx-lm cannot load it.", "Use -BaseModel (--base) with the right base if this is not it; otherwise merge the adapter with the library that trained it."),
        [RefusalCategory.DuplicateModule] = new("Two sets of factors are for the same module.", Trainer),
        [RefusalCategory.MissingPair] = new("A module has only a part of its tensors: one factor, or no DoRA magnitude.", Again),
        [RefusalCategory.MissingTensors] = new("The configuration says that modules, whole weights or token rows were trained of which the file holds nothing.", "Download or export the adapter again; -AllowLoss MissingTensors (--allow-loss missing-tensors) converts what is there."),
        [RefusalCategory.RankMismatch] = new("Ranks in the tensors and in the configuration contradict each other.", "Compare r and rank_pattern with the tensors, and correct the one that is wrong."),
        [RefusalCategory.ShapeMismatch] = new("The factors fit neither each other nor the base's weight.", Base),
        [RefusalCategory.NonFinite] = new("A weight is NaN or infinite, or becomes infinite when it is multiplied by its scale.", "Use an earlier checkpoint if training diverged, or export the adapter again; Test-LoraAdapter (sway test) names every such tensor."),
        [RefusalCategory.MutatedBase] = new("The method changed the base weights at initialisation, so that the factors are no delta on the original base.", "Give the adapter as it was at initialisation with -InitialAdapter (--initial-adapter), or let PEFT convert it (path_initial_model_for_weight_conversion)."),
        [RefusalCategory.PositionDependent] = new("The adapter acts at some positions only; a plain adapter acts everywhere.", "Run it with the library that trained it; no adapter format of mlx-lm can say where it acts."),
        [RefusalCategory.Router] = new("The adapter chooses between several adapters for each token.", "Convert the single adapters that it chooses from."),
        [RefusalCategory.LayerReplication] = new("The adapter belongs to a model whose layers were repeated; its layer numbers are not the base's.", "Merge the adapter with PEFT, which builds the larger model, and convert that model."),
        [RefusalCategory.Megatron] = new("The adapter lies in a layout of Megatron that is ambiguous or not read.", "Export it with Megatron-Bridge (export_adapter_ckpt), or save the checkpoint with ckpt_format torch_dist."),
        [RefusalCategory.LoraBias] = new("The adapter adds a trained constant (lora_bias), which mlx-lm has no place for.", Merge),
        [RefusalCategory.BiasTrained] = new("Biases of the base were trained; they differ even where the adapter does not act.", Merge),
        [RefusalCategory.ModulesToSave] = new("Whole modules were trained beside the factors (modules_to_save).", Merge),
        [RefusalCategory.ResizedEmbeddings] = new("Whole embedding or head tables are stored, as when the vocabulary grew.", Merge),
        [RefusalCategory.TaskHead] = new("The adapter brings a head of its own for classification or the like; mlx-lm runs language models.", "-AllowLoss TaskHead (--allow-loss task-head) converts the factors alone."),
        [RefusalCategory.TrainableTokens] = new("Rows of the embedding were replaced; what they change depends on the base's rows.", "Name the base with its weights: -BaseModel (--base)."),
        [RefusalCategory.TiedEmbedding] = new("Embedding and head are one tensor; PEFT's adapter changes the input side only, mlx-lm's would change both.", "Train with ensure_weight_tying, or merge the adapter into a base with a head of its own."),
        [RefusalCategory.TiedHead] = new("Embedding and head are one tensor; mlx-lm has no head of its own to adapt.", "Merge the adapter into an untied copy of the base instead."),
        [RefusalCategory.DoraEmbedding] = new("DoRA on an embedding: PEFT keeps a magnitude for each dimension, mlx-lm one for each token.", Merge),
        [RefusalCategory.DoraExperts] = new("DoRA on experts has no counterpart in mlx-lm.", Merge),
        [RefusalCategory.MixedDora] = new("Some modules have DoRA magnitudes and others none; the target knows one method for all.", "Check that no magnitude is missing; otherwise merge the adapter into its base (sway merge)."),
        [RefusalCategory.ConvolutionTarget] = new("Convolutions are adapted; mlx-lm can adapt none.", "-AllowLoss ConvolutionTarget (--allow-loss convolution-target) leaves them out; merging keeps them."),
        [RefusalCategory.VisionTarget] = new("The vision or audio part is adapted, which mlx-lm drops.", "-AllowLoss VisionTarget (--allow-loss vision-target) converts the language model's part."),
        [RefusalCategory.UnmappableModule] = new("mlx-lm computes the module in a form that takes no adapter.", "-AllowLoss UnmappableModule (--allow-loss unmappable-module) leaves it out; merging keeps it."),
        [RefusalCategory.ExpertLayout] = new("How the experts' factors are packed is ambiguous, or the configuration does not say which parameters they are for.", "Save the adapter again with peft 0.19 or later, or name the base with its weights (-BaseModel, --base)."),
        [RefusalCategory.MixedFullTensors] = new("Whole tensors of the base lie beside the low-rank factors.", "Merge the adapter with the program that wrote it; no adapter format holds both exactly."),
        [RefusalCategory.FullFineTune] = new("The files hold whole weights of a full fine-tune, no low-rank deltas.", "Use the fused model itself."),
        [RefusalCategory.MissingScale] = new("The factor on the low-rank product is not recorded and cannot be computed from the tensors.", "Give the scale of the training: Repair-MlxAdapter -Scale (sway repair --scale), or -Alpha (--alpha) when converting."),
        [RefusalCategory.KeyStyle] = new("Keys relative to a layer were asked for and would not be exact.", "Use -KeyStyle Auto (--key-style auto)."),
        [RefusalCategory.NeedsBase] = new("What the files mean depends on the base model, which was not found.", Base),
    }.ToFrozenDictionary();

    /// <summary>Explains a category.</summary>
    public static RefusalExplanation Explain(RefusalCategory category) => s_all[category];
}
