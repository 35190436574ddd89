using System.Text.Json;
using Sway.Adapters;
using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Merging;

/// <summary>The tensors of a base model with an adapter's deltas added.</summary>
internal sealed class MergedModel
{
    private readonly TensorFile _weights;
    private readonly IReadOnlyDictionary<string, List<MergeTerm>> _terms;
    private readonly AffineQuantization? _quantization;
    private readonly bool _dequantize;

    public MergedModel(BaseModel model, TensorFile weights, IReadOnlyDictionary<string, List<MergeTerm>> terms, bool dequantize)
    {
        _weights = weights;
        _terms = terms;
        _quantization = Quantization(model);
        _dequantize = dequantize && _quantization is not null;
    }

    /// <summary>The number of output tensors whose content is not the base's.</summary>
    public int Changed { get; private set; }

    /// <summary>The output tensors that take the place of one tensor of the base; none where another one's output holds it.</summary>
    public IEnumerable<PlannedTensor> Replace(TensorInfo tensor)
    {
        (string module, string leaf) = Split(tensor.Name);
        TensorInfo? scales = _quantization is null ? null : _weights.Find(module + ".scales");
        if (scales is null || leaf is not ("weight" or "scales" or "biases"))
        {
            yield return Plain(tensor);
            yield break;
        }

        TensorInfo words = _weights.Find(module + ".weight") ?? throw Missing(module + ".weight");
        TensorInfo biases = _weights.Find(module + ".biases") ?? throw Missing(module + ".biases");
        bool changed = _terms.TryGetValue(words.Name, out List<MergeTerm>? terms);
        if (!changed && !_dequantize)
        {
            yield return new PlannedTensor(tensor.Name, _weights.Get(tensor));
            yield break;
        }

        if (_dequantize && leaf != "weight")
        {
            yield break;
        }

        Changed++;
        IWeightRows rows = _quantization!.Rows(_weights.Get(words), _weights.Get(scales), _weights.Get(biases));
        if (_dequantize)
        {
            DType output = OutputType(rows.DType, terms);
            yield return new PlannedTensor(
                tensor.Name, MergedWeight.Create(tensor.Name, rows, [.. terms ?? []], words.Shape.SetItem(words.Shape.Length - 1, rows.Columns), output));
            yield break;
        }

        var merged = new MergedWeight(tensor.Name, rows, [.. terms!], rows.DType);
        QuantizedPart part = leaf switch
        {
            "weight" => QuantizedPart.Words,
            "scales" => QuantizedPart.Scales,
            _ => QuantizedPart.Biases,
        };
        yield return new PlannedTensor(tensor.Name, QuantizedOutput.Create(merged, rows.Columns, _quantization, part, _weights.Get(tensor), rows.DType));
    }

    /// <summary>A stored weight as rows of numbers; a quantized one is dequantized row by row.</summary>
    public static IWeightRows RowsOf(BaseModel model, TensorFile weights, TensorInfo tensor)
    {
        (string module, string leaf) = Split(tensor.Name);
        return leaf == "weight" && Quantization(model) is { } quantization
            && weights.Find(module + ".scales") is { } scales && weights.Find(module + ".biases") is { } biases
            ? quantization.Rows(weights.Get(tensor), weights.Get(scales), weights.Get(biases))
            : new StoredRows(weights.Get(tensor));
    }

    /// <summary>The quantization of a base that mlx-lm wrote, or null.</summary>
    /// <exception cref="UnsupportedModelException">It is of a kind that Sway does not compute.</exception>
    public static AffineQuantization? Quantization(BaseModel model)
    {
        if (!model.Config.TryGetProperty("quantization", out JsonElement value) || value.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        bool affine = !value.TryGetProperty("mode", out JsonElement mode) || (mode.ValueKind == JsonValueKind.String && mode.ValueEquals("affine"));
        bool uniform = value.EnumerateObject().All(entry => entry.Value.ValueKind is not (JsonValueKind.Object or JsonValueKind.False));
        return affine && uniform
            && value.TryGetProperty("bits", out JsonElement bits) && bits.ValueKind == JsonValueKind.Number && bits.TryGetInt32(out int count) && count is 2 or 4 or 8
            && value.TryGetProperty("group_size", out JsonElement group) && group.ValueKind == JsonValueKind.Number && group.TryGetInt32(out int size) && size is 16 or 32 or 64 or 128
            ? new AffineQuantization(count, size)
            : throw new UnsupportedModelException($"The base model is quantized in a way that merging does not compute: {value.GetRawText()}.")
            {
                Path = model.Folder,
                Remedy = "Merge into the model that is not quantized.",
            };
    }

    /// <summary>True for a tensor of a module that an adapter changes, scales and biases of a quantized one included.</summary>
    public bool Changes(string name) => _terms.ContainsKey(name) || _terms.ContainsKey(Split(name).Module + ".weight");

    private PlannedTensor Plain(TensorInfo tensor)
    {
        TensorExpression value = _weights.Get(tensor);
        if (!_terms.TryGetValue(tensor.Name, out List<MergeTerm>? terms))
        {
            return new PlannedTensor(tensor.Name, value);
        }

        if (tensor.DType is not (DType.F32 or DType.F16 or DType.BF16))
        {
            throw new UnsupportedModelException($"{tensor.Name} is stored as {tensor.DType.SafetensorsName()}, into which nothing can be merged.")
            {
                Path = _weights.Path,
                Tensors = [tensor.Name],
            };
        }

        Changed++;
        return new PlannedTensor(tensor.Name, MergedWeight.Create(tensor.Name, new StoredRows(value), [.. terms], tensor.Shape, OutputType(tensor.DType, terms)));
    }

    // mlx-lm's DoRA leaves the promoted type of weight and magnitude.
    private static DType OutputType(DType weight, List<MergeTerm>? terms) =>
        terms?.Find(term => term is { Rounding: MergeRounding.Mlx, Magnitude: not null })?.Magnitude is { } magnitude && magnitude.DType != weight
            ? DType.F32
            : weight;

    private static (string Module, string Leaf) Split(string name)
    {
        int dot = name.LastIndexOf('.');
        return dot < 0 ? (name, "") : (name[..dot], name[(dot + 1)..]);
    }

    private AdapterFormatException Missing(string name) =>
        new($"{_weights.Path} has quantization scales but no {name}.") { Path = _weights.Path, Tensors = [name] };
}
