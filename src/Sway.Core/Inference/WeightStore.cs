using Sway.Architectures;
using Sway.Tensors;

namespace Sway.Inference;

/// <summary>The base model's weights by name, mapped as stored.</summary>
public sealed class WeightStore : IDisposable
{
    private readonly MappedWeights _mapped;
    private readonly string? _optionalPrefix;

    /// <param name="mapped">The mapped files, owned from now on.</param>
    /// <param name="config">The configuration, which says how they are quantized.</param>
    /// <param name="optionalPrefix">A prefix that some checkpoints of the architecture leave out.</param>
    public WeightStore(MappedWeights mapped, ModelConfig config, string? optionalPrefix)
    {
        _mapped = mapped;
        _optionalPrefix = optionalPrefix;
        Quantization = MlxQuantization.Read(config);
        IsScarce = mapped.FileLength > GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2;
    }

    /// <summary>How mlx quantized the weights, or null.</summary>
    public MlxQuantization? Quantization { get; }

    /// <summary>Where each layer's weights lie.</summary>
    internal LayerPages Pages { get; } = new();

    /// <summary>The layer whose tensors are being asked for; -1 outside of layers.</summary>
    internal int Layer { get; set; } = -1;

    /// <summary>Bytes of the files.</summary>
    public long Bytes => _mapped.FileLength;

    /// <summary>Whether the files take so much of this machine's memory that what is given back may have to be read from the disk again.</summary>
    internal bool IsScarce { get; }

    /// <summary>Whether there is a tensor of this name.</summary>
    public bool Has(string name) => TryFind(name, out _);

    /// <summary>A tensor that must be there.</summary>
    /// <exception cref="UnsupportedModelException">There is none of this name.</exception>
    public MappedTensor Get(string name)
    {
        if (!TryFind(name, out var tensor))
        {
            throw new UnsupportedModelException($"{_mapped.Path}: the model has no tensor \"{name}\".");
        }

        Pages.Add(Layer, tensor);
        return tensor;
    }

    /// <summary>A tensor whose shape must be one of those given.</summary>
    public MappedTensor Get(string name, params ReadOnlySpan<long> shape)
    {
        var tensor = Get(name);
        if (!tensor.Info.Shape.AsSpan().SequenceEqual(shape))
        {
            throw new UnsupportedModelException(
                $"{_mapped.Path}: \"{name}\" has shape {tensor.Info.ShapeText}, the configuration asks for {TensorInfo.FormatShape(shape.ToArray())}.");
        }

        return tensor;
    }

    /// <summary>
    /// Where the rows of a matrix lie, for giving back those that a product has passed while it goes on with others; null where they
    /// might have to be read from the disk again for the next product.
    /// </summary>
    internal RowPages? RowPages(int rows, params (MappedTensor Tensor, int Slice, int Slices)[] tensors) =>
        IsScarce ? null : new RowPages(rows, tensors);

    /// <inheritdoc/>
    public void Dispose() => _mapped.Dispose();

    private bool TryFind(string name, out MappedTensor tensor)
    {
        if (_mapped.Tensors.TryGetValue(name, out tensor))
        {
            return true;
        }

        return _optionalPrefix is not null && name.StartsWith(_optionalPrefix, StringComparison.Ordinal)
            && _mapped.Tensors.TryGetValue(name[_optionalPrefix.Length..], out tensor);
    }
}
